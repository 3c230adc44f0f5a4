// The longest frame of each type, compared with the SHA-256 hashes in `Protocol/vectors/largest.txt`.
import Content
import TestSupport
import Testing

@testable import Wire

@Suite struct LargestFrameTests {
  @Test func `the longest frames are written and read as published`() throws {
    let vectors = try VectorFile("largest.txt")
    for (name, message, payload) in LargestFrameTests.largest {
      var bytes: [UInt8] = []
      if let message { message.encode(into: &bytes) } else { bytes = [0, 1, 0, 0, 0x7F] }
      bytes += payload
      #expect(UInt64(bytes.count) == vectors.number("\(name).length"), "\(name)")
      #expect(Digest(sha256: bytes.span.bytes).bytes == vectors["\(name).sha256"], "\(name)")
      var stream = FrameStream()
      try stream.feed(bytes)
      #expect(stream.messages == (message.map { [$0] } ?? []) && !stream.decoder.isMidFrame, "\(name)")
    }
    let tested = LargestFrameTests.largest.map { "\($0.name).sha256" } + ["record.sha256"]
    #expect(Set(tested) == Set(vectors.names.filter { $0.hasSuffix(".sha256") }))
  }

  /// The frames that the comments of `largest.txt` describe. A nil message means a skipped frame.
  private static let largest: [(name: String, message: Message?, payload: [UInt8])] = {
    func hash(_ i: Int) -> Digest {
      let bytes = Array("p2pnode-largest".utf8) + [0, 0, UInt8(i >> 8), UInt8(i & 0xFF)]
      return Digest(sha256: bytes.span.bytes)
    }
    let handle = FileHandle(7)
    let file = OfferedFile(
      proof: hash(0), kind: 0, length: 1 << 42, root: hash(1), chunkSizeLog2: 20, availability: .complete,
      suggestedName: String(repeating: "n", count: 255))
    let page = PageAnswer(
      handle: handle, page: 4_095, chunkHashes: (0..<1_024).map(hash), uncles: (0..<12).map(hash))
    let header = DataHeader(
      id: RequestID(7), leaves: LeafRange(first: 60, count: 4), isLast: true, leafHashes: (0..<64).map(hash),
      byteCount: 65_536)
    let runs = (0..<10_921).map { LeafRun(chunk: ChunkIndex(UInt32($0)), leaves: LeafRange(first: 0, count: 64)) }
    let bitmap = Bitmap(
      handle: handle, firstChunk: ChunkIndex(786_432), count: 262_144, bits: Array(repeating: 0x5A, count: 32_768))
    let entries = (0..<50).map { i in
      PeerExchange.Entry(
        ip: Array(repeating: UInt8(i + 32), count: 16), port: UInt16(i), peer: PeerID(digest: hash(i)))
    }
    let leaves = (0..<65_536).map { (i: Int) -> UInt8 in
      let place = i % 251
      return UInt8((place * place + 7 * place + 3) % 251)
    }
    let text = String(repeating: "é", count: 64)
    let chunks = (0..<16_382).map { ChunkIndex($0) }
    return [
      ("opened", .opened(Opened(handle: handle, outcome: .opened(file))), []),
      ("page", .page(page), []),
      ("data", .data(header), leaves),
      ("have", .have(Have(handle: handle, runs: runs)), []),
      ("bitmap", .bitmap(bitmap), []),
      ("peers", .peers(PeerExchange(handle: handle, entries: entries)), []),
      ("goodbye", .goodbye(Goodbye(code: .internalError, text: text)), []),
      ("promised", .promised(Promised(handle: handle, chunks: chunks)), []),
      ("skipped", nil, Array(repeating: 0x55, count: 65_535)),
    ]
  }()
}
