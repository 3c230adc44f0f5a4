// Shared by the frame tests: a reader that uses a decoder as a connection does, and one example of each message.
import Content
import Testing

@testable import Wire

/// Feeds a decoder, takes the bytes of leaves itself, and stores the results.
struct FrameStream {
  var decoder = FrameDecoder()
  var messages: [Message] = []
  /// The bytes of all leaves, joined.
  var payload: [UInt8] = []

  mutating func feed(_ bytes: [UInt8]) throws(WireError) {
    var offset = 0
    while true {
      let taken = min(decoder.payloadBytesDue, bytes.count - offset)
      payload += bytes[offset..<offset + taken]
      offset += taken
      decoder.tookPayload(taken)
      guard let message = try decoder.next(bytes.span.bytes, at: &offset) else { break }
      messages.append(message)
    }
    #expect(offset == bytes.count, "nil means that everything was consumed")
  }

  /// Feeds the bytes in pieces of random sizes.
  mutating func feed(_ bytes: [UInt8], splitBy random: inout SplitMix64) throws(WireError) {
    var start = 0
    while start < bytes.count {
      let longest = Bool.random(using: &random) ? 8 : bytes.count
      let end = min(bytes.count, start + Int.random(in: 0...longest, using: &random))
      try feed(Array(bytes[start..<end]))
      start = end
    }
  }
}

/// A small random generator. The same seed gives the same numbers.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A message and, for DATA, the bytes of its leaves.
struct FrameExample: CustomTestStringConvertible, Sendable {
  let message: Message
  var payload: [UInt8] = []

  init(_ message: Message) {
    self.message = message
    if case .data(let header) = message { payload = (0..<header.byteCount).map { UInt8(truncatingIfNeeded: $0) } }
  }

  /// The frame without the bytes of leaves.
  var head: [UInt8] {
    var bytes: [UInt8] = []
    message.encode(into: &bytes)
    return bytes
  }
  /// The whole frame.
  var frame: [UInt8] { head + payload }
  var testDescription: String { "\(message.type)" }

  static func digests(_ count: Int) -> [Digest] {
    (0..<count).map { i in Digest((0..<32).map { UInt8(truncatingIfNeeded: i * 31 + $0) })! }
  }

  static func offered(name: String, availability: OfferedFile.Availability = .complete) -> Message {
    let file = OfferedFile(
      proof: digests(1)[0], kind: 0, length: 3_145_733, root: digests(2)[1], chunkSizeLog2: 20,
      availability: availability, suggestedName: name)
    return .opened(Opened(handle: FileHandle(7), outcome: .opened(file)))
  }

  static func data(_ leaves: LeafRange, isLast: Bool = false, hashes: Int = 0, bytes: Int) -> Message {
    .data(
      DataHeader(
        id: RequestID(258), leaves: leaves, isLast: isLast, leafHashes: digests(hashes), byteCount: bytes))
  }

  static func peers(_ count: Int) -> Message {
    let entries = (0..<count).map { i in
      let isIPv4 = i % 2 == 0
      let ip = isIPv4 ? PeerExchange.Entry.mappedPrefix + [192, 0, 2, UInt8(i)] : Array(repeating: 0x20, count: 16)
      return PeerExchange.Entry(ip: ip, port: 9_800, peer: PeerID(digest: digests(i + 1)[i]))
    }
    return .peers(PeerExchange(handle: FileHandle(7), entries: entries))
  }

  /// Each type with each variant of its body, short.
  static let small: [FrameExample] =
    [
      .open(Open(handle: FileHandle(.max), bucket: 0xBEEF, proof: digests(1)[0])),
      offered(name: "vidéo.mp4"),
      offered(name: "", availability: .partial),
      .opened(Opened(handle: FileHandle(7), outcome: .refused(.noSuchFile))),
      .opened(Opened(handle: FileHandle(7), outcome: .refused(.tooManyFilesOpen))),
      .opened(Opened(handle: FileHandle(7), outcome: .refused(.notAllowed))),
      .pageGet(PageGet(handle: FileHandle(7), page: 1_023)),
      .page(PageAnswer(handle: FileHandle(7), page: 1, chunkHashes: digests(3), uncles: digests(2))),
      .page(PageAnswer(handle: FileHandle(7), page: 0, chunkHashes: digests(1), uncles: [])),
      .request(
        ChunkRequest(
          id: RequestID(258), handle: FileHandle(7), chunk: ChunkIndex(.max), leaves: LeafRange(first: 0, count: 64),
          wantsLeafHashes: true)),
      .request(
        ChunkRequest(
          id: RequestID(.max), handle: FileHandle(7), chunk: ChunkIndex(0), leaves: LeafRange(first: 63, count: 1),
          wantsLeafHashes: false)),
      data(LeafRange(first: 0, count: 1), isLast: true, hashes: 2, bytes: 5),
      data(LeafRange(first: 60, count: 4), bytes: 70),
      .cancel(RequestID(258)),
      .busy(Busy(id: RequestID(258), retryAfterMilliseconds: 1_500)),
      .have(
        Have(
          handle: FileHandle(7),
          runs: [
            LeafRun(chunk: ChunkIndex(2), leaves: LeafRange(first: 0, count: 64)),
            LeafRun(chunk: ChunkIndex(3), leaves: LeafRange(first: 4, count: 2)),
          ])),
      .bitmap(Bitmap(handle: FileHandle(7), firstChunk: ChunkIndex(8), count: 11, bits: [0xA5, 0xC0])),
      .bitmap(Bitmap(handle: FileHandle(7), firstChunk: ChunkIndex(0xF_FFFF), count: 1, bits: [0x80])),
      peers(0),
      peers(3),
      .ping(.max),
      .pong(0x0102_0304_0506_0708),
      .goodbye(Goodbye(code: .shuttingDown, text: "bye!")),
      .goodbye(Goodbye(code: .done)),
      .promised(Promised(handle: FileHandle(7), chunks: [ChunkIndex(2), ChunkIndex(.max)])),
      .close(FileHandle(0xFFFF_FFFE)),
    ].map(FrameExample.init)
    + Withdrawn.Reason.allCases.map {
      FrameExample(.withdrawn(Withdrawn(handle: FileHandle(7), reason: $0)))
    }

  /// The longest frame of each type that has a variable body.
  static let largest: [FrameExample] = [
    offered(name: String(repeating: "n", count: 255)),
    .page(PageAnswer(handle: FileHandle(7), page: 1_023, chunkHashes: digests(1_024), uncles: digests(12))),
    data(LeafRange(first: 60, count: 4), isLast: true, hashes: 64, bytes: 65_536),
    .have(
      Have(
        handle: FileHandle(7),
        runs: (0..<10_921).map { LeafRun(chunk: ChunkIndex(UInt32($0)), leaves: LeafRange(first: 0, count: 64)) })),
    .bitmap(
      Bitmap(
        handle: FileHandle(7), firstChunk: ChunkIndex(786_432), count: 262_144,
        bits: Array(repeating: 0x5A, count: 32_768))),
    peers(50),
    .goodbye(Goodbye(code: .internalError, text: String(repeating: "é", count: 64))),
    .promised(Promised(handle: FileHandle(7), chunks: (0..<16_382).map { ChunkIndex($0) })),
  ].map(FrameExample.init)
}
