// Received bytes that are not handled yet: records, the plaintext of one record, and its frames.
import Posix
import Wire

/// The inbound side of a connection. Every call opens or decodes one item and keeps no access to the bytes, so that the
/// connection may do anything before the next call.
struct Inbound: ~Copyable {
  /// Bytes of memory while only control frames are expected. A larger record grows it.
  static let controlByteCount = 8 << 10
  /// Bytes of memory of a connection that fetches: room for several records per system call.
  static let fetchByteCount = 256 << 10

  /// The state of the next record.
  enum Head {
    case incomplete
    /// The record is complete. The value is the length of its ciphertext in bytes.
    case complete(Int)
    /// No record starts with this header.
    case malformed(header: UInt16)
  }

  /// The next item of the plaintext.
  enum Item {
    case message(Message)
    /// The last byte of a DATA frame was taken.
    case payloadEnded
    /// Only part of a frame, or frames that were skipped.
    case nothing
  }

  /// Bytes from the socket. Plaintext that is not decoded yet lies at the head, followed by the tag of its record.
  var bytes = ByteQueue()
  private var plaintextByteCount = 0
  private(set) var decoder = FrameDecoder()
  /// The block for the leaves of the current DATA frame; nil: they are dropped.
  var arriving: Block?
  /// The download that `arriving` belongs to.
  var arrivingFor: DownloadLink?
  /// Whether `process` runs. A nested call returns at once and leaves the bytes to the outer one.
  var isBeingRead = false

  var hasPlaintext: Bool { plaintextByteCount > 0 }
  /// Whether the bytes end in the middle of a frame or record.
  var isMidFrame: Bool { !bytes.isEmpty || decoder.isMidFrame }

  /// Drops all received bytes.
  mutating func dropAll() {
    bytes.drop(bytes.count)
    plaintextByteCount = 0
  }

  // MARK: Records

  /// Returns the state of the next record. Makes room for the rest of it if it is incomplete.
  mutating func head() -> Head {
    guard bytes.count >= Record.headerByteCount else { return .incomplete }
    let header = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    guard let length = RecordOpener.length(ofHeader: header) else { return .malformed(header: header) }
    let missing = Record.headerByteCount + length - bytes.count
    guard missing > 0 else { return .complete(length) }
    bytes.makeRoom(for: missing)
    return .incomplete
  }

  /// Opens the next record in place. Its plaintext then waits to be decoded.
  ///
  /// Leaves are copied into their block later. Opening them straight into it is slower: another core used the block's
  /// memory last, and the cipher waits for each cache line of it. A copy does not wait.
  /// - `length`: the length of its ciphertext in bytes.
  mutating func open(_ length: Int, with opener: inout RecordOpener) throws(RecordError) {
    try bytes.edit(at: Record.headerByteCount, count: length) { bytes throws(RecordError) in
      _ = try opener.open(inPlace: &bytes)
    }
    bytes.drop(Record.headerByteCount)
    plaintextByteCount = length - Record.tagByteCount
  }

  // MARK: Frames

  /// Decodes the next item of the plaintext, which must not be empty. Returns it, and how many frames it used up.
  /// - `framesMax`: the most frames to skip.
  mutating func decode(framesMax: Int) throws(WireError) -> (item: Item, frameCount: Int) {
    if decoder.payloadBytesDue > 0 { return (takePayload(), 0) }
    let before = decoder.completedFrames
    var offset = 0
    defer { drop(offset) }
    let message = try next(&offset, framesMax: framesMax)
    let frameCount = max(decoder.completedFrames - before, message == nil ? 0 : 1)
    return (message.map { .message($0) } ?? .nothing, frameCount)
  }

  private mutating func next(_ offset: inout Int, framesMax: Int) throws(WireError) -> Message? {
    try bytes.read(at: 0, count: plaintextByteCount) { plaintext throws(WireError) in
      try decoder.next(plaintext, at: &offset, skippingAtMost: framesMax)
    }
  }

  private mutating func takePayload() -> Item {
    let count = min(decoder.payloadBytesDue, plaintextByteCount)
    if let arriving { bytes.read(at: 0, count: count) { arriving.append($0) } }
    drop(count)
    decoder.tookPayload(count)
    return decoder.payloadBytesDue == 0 ? .payloadEnded : .nothing
  }

  /// Drops plaintext that was read, and the tag after its last byte.
  private mutating func drop(_ count: Int) {
    bytes.drop(count)
    plaintextByteCount -= count
    if plaintextByteCount == 0 { bytes.drop(Record.tagByteCount) }
  }
}
