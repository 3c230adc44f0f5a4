// A download gives its content up: CLOSE, and how messages that still arrive are handled.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct GivingUpTests {
  private func isViolation(_ end: SessionEnd?) -> Bool { if case .violation? = end { true } else { false } }

  private func words(_ messages: [Message]) -> [String] {
    messages.map {
      switch $0 {
      case .open(let open): "open \(open.handle.rawValue)"
      case .request(let request): "\(request.id.rawValue) of \(request.handle.rawValue)"
      case .cancel(let id): "cancel \(id.rawValue)"
      case .close(let handle): "close \(handle.rawValue)"
      default: "\($0.type)"
      }
    }
  }

  @Test func `CLOSE follows a CANCEL for each unanswered request, and the other content continues`() {
    var pair = SessionPair(2)
    let (a, b) = (pair.open(0), pair.open(1))
    for (id, chunk) in [(1, 2), (2, 0), (3, 1)] as [(UInt32, UInt32)] { pair.request(id, chunk: chunk, of: 0, a) }
    pair.request(1, chunk: 2, of: 1, b)
    pair.givePiece()  // answers the first request
    pair.givePiece()  // begins the answer to the second
    _ = (pair.takeSent(), pair.takeNews())
    pair.close(a)
    #expect(words(pair.takeSent()) == ["cancel 2", "cancel 3", "close 1"])
    #expect(!pair.fetching.isFetching(FileHandle(a)) && pair.fetching.isFetching && pair.fetching.fetchedCount == 1)
    while pair.givePiece() {}
    #expect(pair.takeNews().filter { !$0.contains("others") } == ["2 began 1", "2 ended 1"])
    #expect(pair.pieces.map(\.handle.rawValue) == [1, 1, 2] && pair.end == nil && pair.servingEnd == nil)
    pair.close(a)
    #expect(pair.takeSent().isEmpty, "a second time means nothing")
    pair.close(b)
    #expect(words(pair.takeSent()) == ["close 2"] && !pair.fetching.isFetching)
  }

  @Test func `a content given up before OPENED is closed when OPENED comes, without an event`() {
    var pair = SessionPair(1)
    let handle = pair.ask(0)
    pair.close(handle)
    #expect(words(pair.takeSent()) == ["open 1"] && pair.fetching.fetchedCount == 0)
    pair.arrive()
    #expect(words(pair.takeSent()) == ["close 1"] && pair.takeNews().isEmpty && pair.serving.served.isEmpty)
    let again = pair.open(0)
    #expect(again == 2 && pair.takeNews() == ["2 opened"])
  }

  @Test func `a content that is given up and then refused needs no CLOSE`() {
    var pair = SessionPair(1)
    let handle = pair.ask(SmallFile(9))
    pair.close(handle)
    pair.arrive()
    #expect(words(pair.takeSent()) == ["open 1"] && pair.takeNews().isEmpty && pair.end == nil)
  }

  @Test func `a content that is opened again before OPENED gets the answer under its old handle`() {
    var pair = SessionPair(2)
    let handle = pair.ask(0)
    let again = (0..<100).map { _ in
      pair.close(handle)
      return pair.ask(0)
    }
    #expect(again.allSatisfy { $0 == handle })
    #expect(words(pair.takeSent()) == ["open 1"] && pair.takeNews().isEmpty && pair.fetching.fetchedCount == 1)
    pair.arrive()
    #expect(pair.takeNews() == ["1 opened"] && pair.fetching.isFetching(FileHandle(handle)))
    pair.request(1, chunk: 2, of: 0, handle)
    pair.givePiece()
    #expect(pair.pieces.map(\.handle.rawValue) == [1] && pair.servingEnd == nil)
    let other = pair.open(1)
    #expect(other == 2 && pair.takeNews().last == "2 opened")
  }

  @Test func `a content that is opened again before its refusal gets the refusal`() {
    var pair = SessionPair(1)
    let stranger = SmallFile(9)
    pair.close(pair.ask(stranger))
    _ = pair.ask(stranger)
    pair.arrive()
    #expect(words(pair.takeSent()) == ["open 1"] && pair.takeNews() == ["1 refused noSuchFile"])
    #expect(pair.end == nil && pair.fetching.fetchedCount == 0)
  }

  @Test func `bytes that arrive after the content was given up are not verified`() throws {
    var pair = SessionPair(1)
    let handle = pair.open(0)
    pair.request(1, chunk: 2, of: 0, handle)
    let header = pair.begin()
    #expect(header?.isLast == true)
    _ = pair.takeNews()
    pair.close(handle)
    pair.endPayload()
    #expect(words(pair.takeSent()).last == "close 1" && pair.pieces.isEmpty && pair.takeNews().isEmpty)
  }

  /// Returns all messages that can arrive with a handle.
  private func late(_ file: SmallFile) throws -> [Message] {
    let handle = FileHandle(1)
    let page = try #require(file.tree.page(PageIndex(0)))
    let run = LeafRun(chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 1))
    let entry = PeerExchange.Entry(ip: [UInt8](repeating: 9, count: 16), port: 1, peer: PeerID(digest: .zero))
    return [
      .opened(Opened(handle: handle, outcome: .refused(.noSuchFile))), .page(PageAnswer(page, of: handle)),
      .have(Have(handle: handle, runs: [run])),
      .bitmap(Bitmap(handle: handle, firstChunk: ChunkIndex(0), count: 1, bits: [0])),
      .promised(Promised(handle: handle, chunks: [ChunkIndex(0)])),
      .peers(PeerExchange(handle: handle, entries: [entry])),
      .withdrawn(Withdrawn(handle: handle, reason: .removed)),
    ]
  }

  private func data(_ file: SmallFile, _ id: UInt32) -> Message {
    let leaves = LeafRange(first: 0, count: 4)
    return .data(
      DataHeader(id: RequestID(id), leaves: leaves, isLast: false, leafHashes: file.leaves[0], byteCount: 64))
  }

  @Test(arguments: [false, true])
  func `late messages of a closed or withdrawn content are dropped without blame`(isWithdrawn: Bool) throws {
    var pair = SessionPair(2)
    let (a, _) = (pair.open(0), pair.open(1))
    for id in 1...3 as ClosedRange<UInt32> { pair.request(id, chunk: 0, of: 0, a) }
    if isWithdrawn {
      pair.receive(.withdrawn(Withdrawn(handle: FileHandle(a), reason: .changed)))
    } else {
      pair.close(a)
    }
    _ = (pair.takeNews(), pair.takeSent())
    for message in try late(pair.files[0]) {
      switch message {
      case .opened, .withdrawn:
        // A peer that has withdrawn a content must not send these messages for it.
        var other = pair
        other.receive(message)
        #expect(isViolation(other.end) == isWithdrawn, "\(message)")
      default: pair.receive(message)
      }
    }
    pair.receive(.busy(Busy(id: RequestID(2), retryAfterMilliseconds: 5)))
    pair.receive(data(pair.files[0], 1))
    pair.endPayload()
    pair.receive(data(pair.files[0], 3))
    pair.endPayload()
    #expect(pair.end == nil && pair.takeNews().isEmpty && pair.pieces.isEmpty && pair.takeSent().isEmpty)
    var other = pair
    pair.receive(data(pair.files[0], 1))
    #expect(isViolation(pair.end), "its answer was skipped")
    other.receive(data(other.files[0], 4))
    #expect(isViolation(other.end), "it was never asked for")
  }

  @Test(arguments: [false, true])
  func `a message with a handle that was never used, or is not open yet, breaks the protocol`(isAskedFor: Bool) throws {
    let pair = SessionPair(1)
    for message in try late(pair.files[0]) {
      var other = pair
      if isAskedFor {
        if case .opened = message { continue }
        _ = other.ask(0)
      }
      other.receive(message)
      #expect(isViolation(other.end), "\(message)")
    }
  }

  @Test(arguments: [false, true])
  func `an OPEN is answered once`(isRefused: Bool) {
    var pair = SessionPair(1)
    if isRefused {
      _ = pair.ask(SmallFile(9))
      pair.arrive()
    } else {
      _ = pair.open(0)
    }
    pair.receive(.opened(Opened(handle: FileHandle(1), outcome: .refused(.noSuchFile))))
    #expect(isViolation(pair.end))
  }
}
