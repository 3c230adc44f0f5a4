// Answers are accepted only as requested. Late answers to cancelled requests are dropped, and the peer is not blamed.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct FetchQueueTests {
  /// 3 chunks of 8 leaves of 10 bytes. The last chunk has 2 leaves; its last leaf has 5 bytes.
  let layout = ChunkLayout(fileLength: 175, chunkSize: 80, leafSize: 10)!
  let good = Digest(Array(repeating: 7, count: 32))!

  func hashes(_ count: Int) -> [Digest] { (0..<count).map { Digest(Array(repeating: UInt8($0), count: 32))! } }

  /// Returns a queue that takes the hash of the last leaf as the chunk hash.
  func queue(_ ids: UInt32..., known: Bool = false) -> FetchQueue {
    var queue = FetchQueue { hashes, _, _ in hashes.last! }
    for id in ids {
      let (chunk, leafCount) = (ChunkIndex(id - 1), layout.leafCount(of: ChunkIndex(id - 1)))
      let request = FetchRequest(
        id: RequestID(id), chunk: chunk, leaves: layout.leaves(of: chunk), chunkHash: hashes(8)[leafCount - 1],
        leafHashes: known ? hashes(leafCount) : nil)
      queue.add(request, of: FileHandle(1), in: layout)
      #expect(queue.next()?.id == RequestID(id))
    }
    return queue
  }

  func fault(_ body: () throws -> FetchedPiece?) -> PeerFault? {
    do { _ = try body() } catch { return error as? PeerFault }
    return nil
  }

  @Test func `an answer in two pieces is taken in order`() throws {
    var queue = queue(1)
    let first = try #require(
      try queue.handle(RequestID(1), firstLeaf: 0, leafCount: 4, isLast: false, leafHashes: hashes(8), byteCount: 40))
    #expect(first.leafHashes == Array(hashes(8)[0..<4]) && first.fileOffset == 0 && first.chunkLeafHashes == hashes(8))
    let last = try #require(
      try queue.handle(RequestID(1), firstLeaf: 4, leafCount: 4, isLast: true, leafHashes: nil, byteCount: 40))
    #expect(last.leafHashes == Array(hashes(8)[4..<8]) && last.fileOffset == 40 && last.isLastOfAnswer)
    #expect(queue.inFlightCount == 0)
  }

  @Test func `the short leaf of the last chunk has its own length`() throws {
    var queue = queue(3)
    let piece = try #require(
      try queue.handle(RequestID(3), firstLeaf: 0, leafCount: 2, isLast: true, leafHashes: hashes(2), byteCount: 15))
    #expect(piece.fileOffset == 160 && piece.byteCount == 15)
  }

  @Test func `every answer that differs from its request is a fault`() {
    func answer(
      _ id: UInt32 = 1, first: Int = 0, count: Int = 4, last: Bool = false, hashes given: [Digest]?? = nil,
      bytes: Int = 40, known: Bool = false
    ) -> PeerFault? {
      var queue = queue(1, 2, known: known)
      let given = given ?? (known ? nil : hashes(8))
      return fault {
        try queue.handle(
          RequestID(id), firstLeaf: first, leafCount: count, isLast: last, leafHashes: given, byteCount: bytes)
      }
    }
    #expect(answer() == nil && answer(known: true) == nil)
    #expect(answer(3) == .violation(.unknownRequest))
    #expect(answer(2) == .violation(.answerOutOfOrder))
    #expect(answer(first: 1) == .violation(.unexpectedLeaves))
    #expect(answer(first: 255, count: 255) == .violation(.unexpectedLeaves))
    #expect(answer(count: 0, bytes: 0) == .violation(.unexpectedLeaves))
    #expect(answer(count: 9, bytes: 80) == .violation(.unexpectedLeaves))
    #expect(answer(bytes: 39) == .violation(.wrongByteCount))
    #expect(answer(bytes: 41) == .violation(.wrongByteCount))
    #expect(answer(last: true) == .violation(.wrongEnd))
    #expect(answer(hashes: .some(nil)) == .violation(.unexpectedLeafHashes))
    #expect(answer(hashes: hashes(7)) == .lie)
    #expect(answer(hashes: hashes(8), known: true) == .violation(.unexpectedLeafHashes))
    #expect(answer(hashes: Array(hashes(8).reversed())) == .lie)
  }

  @Test func `late data of a cancelled request is dropped, and the next answer may skip the rest`() throws {
    var queue = queue(1, 2)
    #expect(queue.cancel(RequestID(1), of: FileHandle(1)) == RequestID(1))
    #expect(queue.inFlightCount == 1)
    #expect(
      try queue.handle(RequestID(1), firstLeaf: 0, leafCount: 4, isLast: false, leafHashes: hashes(8), byteCount: 40)
        == nil)
    let next = try queue.handle(
      RequestID(2), firstLeaf: 0, leafCount: 4, isLast: false, leafHashes: hashes(8), byteCount: 40)
    #expect(next?.request == RequestID(2) && next?.fileOffset == 80)
    #expect(
      fault {
        try queue.handle(RequestID(1), firstLeaf: 4, leafCount: 4, isLast: true, leafHashes: nil, byteCount: 40)
      } == .violation(.unknownRequest))
  }

  @Test func `BUSY ends only a request whose answer has not begun`() throws {
    var queue = queue(1, 2)
    #expect(try queue.busy(RequestID(2))?.id == RequestID(2))
    _ = try queue.handle(RequestID(1), firstLeaf: 0, leafCount: 4, isLast: false, leafHashes: hashes(8), byteCount: 40)
    #expect(throws: PeerFault.violation(.wrongEnd)) { _ = try queue.busy(RequestID(1)) }
    #expect(throws: PeerFault.violation(.unknownRequest)) { _ = try queue.busy(RequestID(9)) }
  }
}
