// The implementation compared with `Protocol/vectors/`, which an independent program wrote.
import Content
import TestSupport
import Testing

@testable import Wire

@Suite struct ProtocolVectorTests {
  /// Frames that this program reads but encodes differently.
  private static let readOnly: Set = ["goodbye.unknown-code", "peers.mapped"]

  @Test func `encoded frames are the published ones`() throws {
    let vectors = try VectorFile("frames.txt")
    for (name, message, payload) in ProtocolVectorTests.meanings(vectors) {
      var bytes: [UInt8] = []
      message.encode(into: &bytes)
      if !ProtocolVectorTests.readOnly.contains(name) { #expect(bytes + payload == vectors[name], "\(name)") }
      var stream = FrameStream()
      try stream.feed(vectors[name])
      #expect(stream.messages == [message], "\(name)")
      #expect(stream.payload == payload, "\(name)")
      #expect(!stream.decoder.isMidFrame, "\(name)")
    }
  }

  @Test func `every published frame is tested`() throws {
    let vectors = try VectorFile("frames.txt")
    let skipped = vectors.names.filter { $0.hasPrefix("skipped") }
    for name in skipped {
      var stream = FrameStream()
      try stream.feed(vectors[name])
      #expect(stream.messages.isEmpty && !stream.decoder.isMidFrame, "\(name)")
    }
    let tested = skipped + ProtocolVectorTests.meanings(vectors).map(\.name)
    #expect(Set(tested) == Set(vectors.names.filter { !$0.hasPrefix("digest.") }))
    #expect(!skipped.isEmpty)
  }

  @Test func `invalid frames are refused, whether they arrive whole or byte by byte`() throws {
    let vectors = try VectorFile("invalid/frames.txt")
    #expect(vectors.names.count > 60)
    for name in vectors.names {
      var whole = FrameStream()
      let error = #expect(throws: WireError.self, "\(name)") { try whole.feed(vectors[name]) }
      #expect(error?.closeCode == .protocolError)
      #expect(whole.messages.isEmpty, "\(name)")
      var byByte = FrameStream()
      #expect(throws: error ?? .badLength(0), "\(name)") { for byte in vectors[name] { try byByte.feed([byte]) } }
    }
  }

  @Test func `fileIDs are the published ones`() throws {
    for path in ["content.txt", "page.txt"] {
      let vectors = try VectorFile(path)
      let identified = vectors.names.filter { $0.hasSuffix(".fileID") }.map { $0.dropLast(".fileID".count) }
      #expect(!identified.isEmpty)
      for name in identified {
        let root = try #require(Digest(vectors["\(name).root"]))
        let fileID = FileID(kind: .file, length: vectors.number("\(name).length"), root: root)
        #expect(fileID.digest.bytes == vectors["\(name).fileID"], "\(path): \(name)")
      }
    }
  }

  @Test func `the published page of 476 chunks is read`() throws {
    let vectors = try VectorFile("page.txt")
    var stream = FrameStream()
    try stream.feed(vectors["1500.page1.frame"])
    guard case .page(let answer)? = stream.messages.first else {
      Issue.record("no PAGE")
      return
    }
    #expect(answer.page == 1 && answer.chunkHashes.count == 476)
    #expect(answer.uncles.flatMap(\.bytes) == vectors["1500.page1.uncles"])
    #expect(answer.uncles.count == 1)
  }

  /// Returns the messages that the comments of `frames.txt` describe.
  private static func meanings(_ vectors: VectorFile) -> [(name: String, message: Message, payload: [UInt8])] {
    func hash(_ label: String) -> Digest { Digest(vectors["digest.\(label)"])! }
    func offered(_ name: String, _ availability: OfferedFile.Availability) -> Message {
      let file = OfferedFile(
        proof: hash("proof"), kind: 0, length: 3_145_733, root: hash("root"), chunkSizeLog2: 20,
        availability: availability, suggestedName: name)
      return .opened(Opened(handle: handle, outcome: .opened(file)))
    }
    func refused(_ refusal: Opened.Refusal) -> Message { .opened(Opened(handle: handle, outcome: .refused(refusal))) }
    func request(_ id: UInt32, _ leaves: LeafRange, hashes: Bool) -> Message {
      .request(
        ChunkRequest(id: RequestID(id), handle: handle, chunk: ChunkIndex(2), leaves: leaves, wantsLeafHashes: hashes))
    }
    func data(_ leaves: LeafRange, isLast: Bool, _ hashes: [Digest], _ bytes: Int) -> Message {
      .data(DataHeader(id: id, leaves: leaves, isLast: isLast, leafHashes: hashes, byteCount: bytes))
    }
    let handle = FileHandle(7)
    let id = RequestID(258)
    let runs = [
      LeafRun(chunk: ChunkIndex(2), leaves: LeafRange(first: 0, count: 64)),
      LeafRun(chunk: ChunkIndex(3), leaves: LeafRange(first: 4, count: 2)),
    ]
    let entries = [
      PeerExchange.Entry(
        ip: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1], port: 9_800, peer: PeerID(digest: hash("peer-0"))),
      PeerExchange.Entry(
        ip: [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], port: 9_801,
        peer: PeerID(digest: hash("peer-1"))),
    ]
    let page = PageAnswer(
      handle: handle, page: 1, chunkHashes: [hash("leaf-0"), hash("leaf-1")], uncles: [hash("uncle-0")])
    let deepest = PageAnswer(
      handle: handle, page: 4_095, chunkHashes: [hash("leaf-0")], uncles: Array(repeating: hash("uncle-0"), count: 12))
    let opaque: UInt64 = 0x0102_0304_0506_0708
    return [
      ("open", .open(Open(handle: handle, bucket: 0xBEEF, proof: hash("proof"))), []),
      ("opened", offered("vidéo.mp4", .complete), []),
      ("opened.partial", offered("", .partial), []),
      ("opened.no-such-file", refused(.noSuchFile), []),
      ("opened.too-many", refused(.tooManyFilesOpen), []),
      ("opened.not-allowed", refused(.notAllowed), []),
      ("page-get", .pageGet(PageGet(handle: handle, page: 1)), []),
      ("page", .page(page), []),
      ("page.deepest", .page(deepest), []),
      ("request", request(258, LeafRange(first: 0, count: 64), hashes: true), []),
      ("request.rest", request(259, LeafRange(first: 63, count: 1), hashes: false), []),
      (
        "data", data(LeafRange(first: 0, count: 1), isLast: true, [hash("leaf-0"), hash("leaf-1")], 3),
        [0xAA, 0xBB, 0xCC]
      ),
      ("data.plain", data(LeafRange(first: 4, count: 4), isLast: false, [], 8), Array(0..<8)),
      ("data.short-leaves", data(LeafRange(first: 0, count: 64), isLast: true, [], 64), Array(0..<64)),
      ("cancel", .cancel(id), []),
      ("busy", .busy(Busy(id: id, retryAfterMilliseconds: 1_500)), []),
      ("have", .have(Have(handle: handle, runs: runs)), []),
      (
        "bitmap", .bitmap(Bitmap(handle: handle, firstChunk: ChunkIndex(8), count: 11, bits: [0xA5, 0xC0])), []
      ),
      (
        "bitmap.last",
        .bitmap(Bitmap(handle: handle, firstChunk: ChunkIndex(4_194_296), count: 8, bits: [0x81])), []
      ),
      ("withdrawn", .withdrawn(Withdrawn(handle: handle, reason: .changed)), []),
      ("peers", .peers(PeerExchange(handle: handle, entries: entries)), []),
      ("peers.none", .peers(PeerExchange(handle: handle, entries: [])), []),
      ("peers.mapped", .peers(PeerExchange(handle: handle, entries: [entries[0]])), []),
      ("ping", .ping(opaque), []),
      ("pong", .pong(opaque), []),
      ("goodbye", .goodbye(Goodbye(code: .shuttingDown, text: "bye!")), []),
      ("goodbye.unknown-code", .goodbye(Goodbye(code: .internalError)), []),
      ("promised", .promised(Promised(handle: handle, chunks: [ChunkIndex(2), ChunkIndex(5)])), []),
      ("close", .close(handle), []),
    ]
  }
}
