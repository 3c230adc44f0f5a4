// Bytes that wait to be sent on a connection. Frames are sealed in the order in which they were made, which is the
// order of the nonces.
import Posix
import Wire

/// The outbound side of a connection.
struct Outbound: ~Copyable {
  /// If more bytes than this wait to be sent, nothing is read: a peer that requests must also receive.
  static let byteCountMax = 256 << 10

  /// Bytes for the socket.
  var bytes = ByteQueue()
  /// Whether the kernel took fewer bytes than it was offered. Epoll reports when there is room again.
  var isSocketFull = false
  /// The error of a send because the other end closed. Bytes that were received before are still read.
  var failure: Errno?
  /// Bytes that `OutboxMemory` counts for the connection.
  var countedByteCount = 0

  var isOverfull: Bool { bytes.count > Outbound.byteCountMax }

  /// Seals bytes of the stream, in the fewest records that hold them, of even size.
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
