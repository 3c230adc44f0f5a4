// One connection fetches several contents: their handles, their request numbers, and the order of their answers.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct SeveralContentsTests {
  private func isViolation(_ end: SessionEnd?) -> Bool { if case .violation? = end { true } else { false } }

  private func requests(_ messages: [Message]) -> [String] {
    messages.compactMap {
      switch $0 {
      case .request(let request): "\(request.id.rawValue) of \(request.handle.rawValue)"
      case .cancel(let id): "cancel \(id.rawValue)"
      case .close(let handle): "close \(handle.rawValue)"
      default: nil
      }
    }
  }

  // MARK: Opening

  @Test func `each content has a handle of its own, and no handle is reused`() {
    var pair = SessionPair(3)
    let first = [pair.open(0), pair.open(1)]
    #expect(first == [1, 2] && pair.takeNews() == ["1 opened", "2 opened"])
    pair.close(1)
    pair.close(2)
    let next = [pair.open(1), pair.open(0), pair.open(2)]
    #expect(next == [3, 4, 5] && pair.takeNews() == ["3 opened", "4 opened", "5 opened"])
    #expect(pair.end == nil && pair.servingEnd == nil && pair.fetching.fetchedCount == 3)
    #expect(pair.serving.served.keys.map(\.rawValue).sorted() == [3, 4, 5])
  }

  @Test func `a 65th content is refused without a message, even while OPENs are unanswered`() {
    var pair = SessionPair(68)
    for file in 0..<64 { _ = pair.ask(file) }
    _ = pair.takeSent()
    let tooMany = pair.ask(64)
    #expect(tooMany == 65 && pair.takeNews() == ["65 refused tooManyFilesOpen"] && pair.takeSent().isEmpty)
    pair.close(1)
    let stillTooMany = pair.ask(65)
    #expect(stillTooMany == 66 && pair.takeNews() == ["66 refused tooManyFilesOpen"], "its OPEN is unanswered")
    pair.arrive()
    _ = pair.takeNews()
    let next = pair.open(66)
    #expect(next == 67 && pair.takeNews() == ["67 opened"])
    pair.withdraw(2)
    let afterWithdrawn = pair.open(67)
    #expect(afterWithdrawn == 68 && pair.takeNews() == ["2 withdrawn", "68 opened"] && pair.servingEnd == nil)
  }

  @Test func `a content that is open or requested already is refused without a message`() {
    var pair = SessionPair(1)
    _ = pair.ask(0)
    _ = pair.takeSent()
    _ = pair.ask(0)
    pair.arrive()
    _ = pair.ask(0)
    let refusal = "refused tooManyFilesOpen"
    #expect(pair.takeNews() == ["2 \(refusal)", "1 opened", "3 \(refusal)"] && pair.takeSent().isEmpty)
  }

  @Test func `a refused content frees its place, and the others continue`() {
    var pair = SessionPair(1)
    let stranger = pair.ask(SmallFile(99))
    let handle = pair.open(0)
    #expect(pair.takeNews() == ["1 refused noSuchFile", "2 opened"])
    #expect(!pair.fetching.isFetching(FileHandle(stranger)) && pair.fetching.isFetching(FileHandle(handle)))
    #expect(pair.fetching.fetchedCount == 1)
  }

  // MARK: Numbers and order

  @Test func `a request keeps its content's number on the wire if it is above the last, or takes the next one`() {
    var queue = FetchQueue()
    let file = SmallFile(0)
    func send(_ id: UInt32, of handle: UInt32) -> UInt32? {
      queue.add(file.request(id, 0), of: FileHandle(handle), in: file.layout)
      return queue.next()?.id.rawValue
    }
    #expect([send(1, of: 1), send(2, of: 1), send(3, of: 1)] == [1, 2, 3], "one content numbers alone")
    #expect([send(1, of: 2), send(4, of: 1), send(2, of: 2)] == [4, 5, 6])
    #expect([send(10, of: 1), send(3, of: 2)] == [10, 11])
  }

  @Test func `two contents with equal request numbers each get the events of their own requests`() throws {
    var pair = SessionPair(2)
    let (a, b) = (pair.open(0), pair.open(1))
    _ = (pair.takeNews(), pair.takeSent())
    pair.request(1, chunk: 0, of: 0, a)
    pair.request(1, chunk: 2, of: 1, b)
    pair.request(2, chunk: 1, of: 0, a)
    #expect(requests(pair.takeSent()) == ["1 of 1", "2 of 2", "3 of 1"])
    while pair.givePiece() {}
    #expect(
      pair.takeNews().filter { !$0.contains("others") } == [
        "1 began 1", "1 ended 1", "2 began 1", "2 ended 1", "1 began 2", "1 ended 2",
      ])
    #expect(pair.pieces.map(\.handle.rawValue) == [1, 1, 2, 1, 1])
    #expect(pair.pieces.map(\.request.rawValue) == [1, 1, 1, 2, 2])
    let files = pair.files
    for piece in pair.pieces {
      let start = Int(piece.fileOffset)
      let file = files[Int(piece.handle.rawValue) - 1]
      let bytes = Array(file.bytes[start..<start + piece.byteCount])
      let isMatched = piece.isMatched(by: bytes.span.bytes)
      #expect(isMatched)
    }
    #expect(pair.end == nil)
  }

  @Test(arguments: [false, true])
  func `an answer of one content may overtake another only if the other request is cancelled`(isCancelled: Bool) {
    var pair = SessionPair(2)
    let (a, b) = (pair.open(0), pair.open(1))
    pair.request(1, chunk: 0, of: 0, a)
    pair.request(1, chunk: 2, of: 1, b)
    if isCancelled { pair.cancel(1, of: a) }
    let leaves = pair.files[1].layout.leaves(of: ChunkIndex(2))
    pair.receive(
      .data(
        DataHeader(id: RequestID(2), leaves: leaves, isLast: true, leafHashes: pair.files[1].leaves[2], byteCount: 44)))
    #expect(isViolation(pair.end) == !isCancelled)
  }

  @Test func `BUSY names a request by its wire number, and the content gets its own number`() {
    var pair = SessionPair(2)
    let (a, b) = (pair.open(0), pair.open(1))
    pair.request(1, chunk: 0, of: 0, a)
    pair.request(1, chunk: 0, of: 1, b)
    _ = pair.takeNews()
    pair.receive(.busy(Busy(id: RequestID(2), retryAfterMilliseconds: 5)))
    #expect(pair.takeNews() == ["2 busy 1"] && pair.fetching.fetches.inFlightCount == 1)
    pair.cancel(1, of: a)
    pair.receive(.busy(Busy(id: RequestID(1), retryAfterMilliseconds: 5)))
    #expect(pair.takeNews().isEmpty && pair.end == nil, "it was cancelled")
    pair.receive(.busy(Busy(id: RequestID(1), retryAfterMilliseconds: 5)))
    #expect(isViolation(pair.end))
  }

  @Test func `pages are due for each content in the order of its requests`() throws {
    var pair = SessionPair(2)
    let handles = [pair.open(0), pair.open(1)]
    _ = pair.takeNews()
    for (handle, page) in [(handles[0], 0), (handles[1], 1), (handles[0], 1)] as [(UInt32, UInt32)] {
      pair.fetchPage(page, of: handle)
    }
    func answer(_ file: Int, _ page: UInt32) throws -> Message {
      .page(PageAnswer(try #require(pair.files[file].tree.page(PageIndex(page))), of: FileHandle(handles[file])))
    }
    pair.receive(try answer(1, 1))
    pair.receive(try answer(0, 0))
    #expect(pair.takeNews() == ["2 page", "1 page"] && pair.end == nil)
    pair.receive(try answer(0, 0))
    #expect(isViolation(pair.end))
  }

  @Test func `a connection has at most 64 unanswered pages over all contents`() {
    var pair = SessionPair(2)
    let handles = [pair.open(0), pair.open(1)]
    for _ in 0..<40 { for handle in handles { pair.fetchPage(0, of: handle) } }
    let count = pair.takeSent().count { if case .pageGet = $0 { true } else { false } }
    #expect(count == 64 && pair.servingEnd == nil)
  }
}
