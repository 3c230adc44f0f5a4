// Bytes that came from the other end and are not dealt with: records, the plaintext of one record, and its frames.
import Posix
import Wire

/// The inbound side of a connection. Every call opens or decodes one thing and then lets go of the bytes, so that the
/// connection may do anything before the next call.
struct Inbound: ~Copyable {
  /// Bytes of memory while only control frames are expected. A large record does not fit and grows it.
  static let controlByteCount = 8 << 10
  /// Bytes of memory of a connection that fetches: several records a system call.
  static let fetchByteCount = 256 << 10

  /// The record that is next.
  enum Head {
    case incomplete
    /// The record is complete. Its ciphertext has so many bytes.
    case complete(Int)
    /// No record starts like this.
    case malformed(header: UInt16)
  }

  /// The next item of the plaintext.
  enum Item {
    case message(Message)
    /// The last byte of a DATA frame was taken.
    case payloadEnded
    /// Part of a frame, or frames that are skipped.
    case nothing
  }

  /// From the socket. A plaintext that is not decoded lies at the head, and the tag of its record follows it.
  var bytes = ByteQueue()
  private var plaintextByteCount = 0
  private(set) var decoder = FrameDecoder()
  /// Takes the leaves of the present DATA frame; nil if they are of no use.
  var arriving: Block?
  /// The download that `arriving` belongs to.
  var arrivingFor: DownloadLink?
  /// The connection works through the bytes. A nested call leaves the rest to the outer one.
  var isBeingRead = false

  var hasPlaintext: Bool { plaintextByteCount > 0 }
  /// Whether the rest is the start of a frame or of a record.
  var isMidFrame: Bool { !bytes.isEmpty || decoder.isMidFrame }

  /// Drops all bytes that came.
  mutating func dropAll() {
    bytes.drop(bytes.count)
    plaintextByteCount = 0
  }

  // MARK: Records

  /// The record that is next. Makes room for the rest of it if that has not come.
  mutating func head() -> Head {
    guard bytes.count >= Record.headerByteCount else { return .incomplete }
    let header = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    guard let length = RecordOpener.length(ofHeader: header) else { return .malformed(header: header) }
    let missing = Record.headerByteCount + length - bytes.count
    guard missing > 0 else { return .complete(length) }
    bytes.makeRoom(for: missing)
    return .incomplete
  }

  /// Opens the record that is next, in place: the plaintext waits to be decoded.
  ///
  /// Leaves are copied into their block after that. Opening them straight into it is slower: another core used the
  /// block's memory last, and the cipher waits for each line of that memory. A copy does not wait.
  /// - `length`: bytes of its ciphertext.
  mutating func open(_ length: Int, with opener: inout RecordOpener) throws(RecordError) {
    try bytes.edit(at: Record.headerByteCount, count: length) { bytes throws(RecordError) in
      _ = try opener.open(inPlace: &bytes)
    }
    bytes.drop(Record.headerByteCount)
    plaintextByteCount = length - Record.tagByteCount
  }

  // MARK: Frames

  /// Takes the next item of the plaintext, which is not empty. Returns it, and how many frames count for it.
  /// - `framesMax`: frames that are skipped at most.
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

  /// Drops plaintext that was read, and with the last byte of it the tag.
  private mutating func drop(_ count: Int) {
    bytes.drop(count)
    plaintextByteCount -= count
    if plaintextByteCount == 0 { bytes.drop(Record.tagByteCount) }
  }
}
