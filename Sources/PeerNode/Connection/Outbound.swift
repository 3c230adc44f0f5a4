// Bytes that wait to be sent on a connection. Frames are sealed in the order in which they were made: the order of the
// nonces.
import Posix
import Wire

/// The outbound side of a connection.
struct Outbound: ~Copyable {
  /// With more than this waiting to be sent, nothing more is read: a peer that asks must also take.
  static let byteCountMax = 256 << 10

  /// For the socket.
  var bytes = ByteQueue()
  /// The system took less than it was offered. It says when there is room again.
  var isSocketFull = false
  /// The other end takes no more bytes. The connection still reads the bytes that came before.
  var failure: Errno?
  /// Bytes that `OutboxMemory` counts for the connection.
  var countedByteCount = 0

  var isOverfull: Bool { bytes.count > Outbound.byteCountMax }

  /// Seals bytes of the stream, in as few records of even size as they fit in.
  mutating func seal(_ plaintext: RawSpan, with sealer: inout RecordSealer) {
    let records = (plaintext.byteCount + Record.plaintextByteCountMax - 1) / Record.plaintextByteCountMax
    bytes.makeRoom(for: plaintext.byteCount + records * Record.overhead)
    var start = 0
    for left in stride(from: records, to: 0, by: -1) {
      let count = (plaintext.byteCount - start) / left
      let part = plaintext.extracting(start..<start + count)
      bytes.fill { room in sealer.seal(plaintext: part, into: &room) }
      start += count
    }
  }
}
