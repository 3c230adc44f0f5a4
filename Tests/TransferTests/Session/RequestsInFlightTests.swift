// A connection divides the requests that its peer accepts among its contents, and reports when others are served.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct RequestsInFlightTests {
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

  /// Opens all files and forgets the messages so far.
  private func opened(_ count: Int, requestsMax: Int) -> SessionPair {
    var pair = SessionPair(count, requestsMax: requestsMax)
    for file in 0..<count { _ = pair.open(file) }
    _ = (pair.takeNews(), pair.takeSent())
    return pair
  }

  @Test func `a request beyond the limit waits until another one is answered, refused, cancelled or withdrawn`() {
    var pair = opened(3, requestsMax: 2)
    for id in 1...6 as ClosedRange<UInt32> { pair.request(id, chunk: 2, of: 0, 1) }
    pair.request(1, chunk: 2, of: 1, 2)
    #expect(requests(pair.takeSent()) == ["1 of 1", "2 of 1"] && pair.fetching.fetches.waitingCount == 5)
    pair.givePiece()
    #expect(requests(pair.takeSent()) == ["3 of 2"], "the content with the fewest in flight")
    pair.receive(.busy(Busy(id: RequestID(2), retryAfterMilliseconds: 5)))
    #expect(requests(pair.takeSent()) == ["4 of 1"])
    pair.cancel(3, of: 1)
    #expect(requests(pair.takeSent()) == ["cancel 4", "5 of 1"])
    pair.close(2)
    #expect(requests(pair.takeSent()) == ["cancel 3", "close 2", "6 of 1"])
    pair.request(1, chunk: 2, of: 2, 3)
    pair.receive(.withdrawn(Withdrawn(handle: FileHandle(1), reason: .changed)))
    #expect(requests(pair.takeSent()) == ["7 of 3"] && pair.fetching.fetches.waitingCount == 0)
    #expect(pair.end == nil && pair.fetching.fetches.inFlightCount == 1)
  }

  @Test func `of contents with equally many requests in flight, the one that waited longest comes first`() {
    var pair = opened(3, requestsMax: 1)
    pair.request(1, chunk: 2, of: 0, 1)
    pair.request(1, chunk: 2, of: 2, 3)
    pair.request(1, chunk: 2, of: 1, 2)
    pair.request(2, chunk: 2, of: 0, 1)
    while pair.givePiece() {}
    #expect(requests(pair.takeSent()) == ["1 of 1", "2 of 3", "3 of 2", "4 of 1"])
  }

  @Test func `at most 64 requests are in flight over all contents, and the other end refuses none`() {
    var pair = opened(4, requestsMax: 64)
    for id in 1...40 as ClosedRange<UInt32> {
      for file in 0..<4 { pair.request(id, chunk: 2, of: file, UInt32(file + 1)) }
    }
    #expect(pair.fetching.fetches.inFlightCount == 64 && pair.answers.isEmpty && pair.serving.waitingCount == 64)
    while pair.givePiece() {}
    #expect(pair.answers.isEmpty && pair.pieces.count == 160 && pair.servingEnd == nil && pair.end == nil)
    #expect(pair.fetching.fetches.inFlightCount == 0)
  }

  @Test func `a waiting request is cancelled or given up without a message`() {
    var pair = opened(2, requestsMax: 1)
    pair.request(1, chunk: 2, of: 0, 1)
    pair.request(2, chunk: 2, of: 0, 1)
    pair.request(1, chunk: 2, of: 1, 2)
    _ = pair.takeSent()
    pair.cancel(2, of: 1)
    #expect(pair.takeSent().isEmpty)
    pair.close(2)
    #expect(requests(pair.takeSent()) == ["close 2"])
    while pair.givePiece() {}
    #expect(pair.takeSent().isEmpty && pair.pieces.count == 1)
  }

  @Test func `a peer that declares a limit of 0 gets one request at a time`() {
    var pair = opened(1, requestsMax: 0)
    for id in 1...2 as ClosedRange<UInt32> { pair.request(id, chunk: 2, of: 0, 1) }
    #expect(requests(pair.takeSent()) == ["1 of 1"])
  }

  // MARK: Others are served

  @Test func `when an answer ends, the content of the next answer is notified that another was served`() {
    var pair = opened(3, requestsMax: 64)
    pair.request(1, chunk: 2, of: 0, 1)
    pair.request(2, chunk: 2, of: 0, 1)
    pair.request(1, chunk: 2, of: 1, 2)
    pair.request(1, chunk: 2, of: 2, 3)
    pair.givePiece()
    // The very first piece is reported to all contents, but not its end, since the next answer is for the same content.
    #expect(pair.takeNews() == ["1 began 1", "2 others", "3 others", "1 ended 1"])
    pair.givePiece()
    #expect(pair.takeNews() == ["1 began 2", "1 ended 2", "2 others"])
    pair.givePiece()
    #expect(pair.takeNews() == ["2 began 1", "2 ended 1", "3 others"])
  }

  @Test func `a content with a waiting request is notified when the end of an answer releases the request`() {
    var pair = opened(3, requestsMax: 2)
    for id in 1...3 as ClosedRange<UInt32> { pair.request(id, chunk: 2, of: 0, 1) }
    pair.request(1, chunk: 2, of: 1, 2)
    pair.givePiece()
    #expect(pair.takeNews() == ["1 began 1", "2 others", "1 ended 1", "2 others"])
    pair.request(1, chunk: 2, of: 2, 3)
    pair.cancel(2, of: 1)
    #expect(pair.takeNews().isEmpty, "after a CANCEL nobody was served")
  }

  @Test func `while pieces arrive, waiting contents are notified every 0.5 s and others are not`() {
    var pair = opened(5, requestsMax: 1)
    pair.request(1, chunk: 0, of: 0, 1)
    pair.request(1, chunk: 2, of: 1, 2)  // waits here
    pair.request(2, chunk: 0, of: 0, 1)
    pair.fetchPage(0, of: 3)
    _ = pair.ask(4)
    func told(at milliseconds: Int64) -> [String] {
      _ = pair.begin(at: .milliseconds(milliseconds))
      defer { pair.endPayload() }
      return pair.takeNews().filter { $0.contains("others") }
    }
    _ = pair.takeNews()
    #expect(told(at: 1_000) == ["2 others", "3 others"])
    _ = pair.takeNews()
    #expect(told(at: 1_499) == [])
    _ = pair.takeNews()
    #expect(told(at: 1_500) == ["1 others", "3 others"], "now the second content is served")
  }

  @Test func `late bytes of a content that was given up also count as serving another content`() {
    var pair = opened(2, requestsMax: 64)
    pair.request(1, chunk: 0, of: 0, 1)
    pair.request(1, chunk: 2, of: 1, 2)
    let leaves = LeafRange(first: 0, count: 4)
    let data = Message.data(
      DataHeader(id: RequestID(1), leaves: leaves, isLast: false, leafHashes: pair.files[0].leaves[0], byteCount: 64))
    pair.close(1)
    pair.receive(data, at: .seconds(1))
    #expect(pair.takeNews() == ["2 others"])
  }

  @Test func `a single content is never notified, nor is any content while the peer is silent`() {
    var pair = opened(2, requestsMax: 64)
    for (id, chunk) in [(1, 0), (2, 1), (3, 2)] as [(UInt32, UInt32)] { pair.request(id, chunk: chunk, of: 0, 1) }
    var silent = pair
    silent.request(1, chunk: 0, of: 1, 2)
    silent.cancel(1, of: 1)
    silent.receive(.busy(Busy(id: RequestID(2), retryAfterMilliseconds: 5)), at: .seconds(20))
    #expect(silent.takeNews() == ["1 busy 2"])
    var seconds = 0.0
    while pair.givePiece(at: .seconds(seconds)) { seconds += 1 }
    let news = pair.takeNews()
    #expect(news.count == 6 && !news.contains { $0.contains("others") })
  }
}
