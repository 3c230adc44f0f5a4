// Strangers do not take slots that addresses of the user need.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct EclipseTests {
  private let layout = ChunkLayout(fileLength: 8 << 20)!

  private func sharing() -> DownloadState {
    var settings = DownloadSettings()
    settings.shares = true
    return DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
  }

  private func actions(of state: inout DownloadState) -> [DownloadAction] {
    var actions: [DownloadAction] = []
    while let action = state.nextAction() { actions.append(action) }
    return actions
  }

  private func inbound(_ number: Int) -> ConnectionID {
    ConnectionID(ConnectionID.firstInbound.rawValue + UInt64(number))
  }

  private func id(_ number: Int) -> PeerID {
    PeerID(digest: Digest([UInt8(number & 255), UInt8(number >> 8)] + Array(repeating: 77, count: 30))!)
  }

  /// Lets `count` strangers dial in and open the file, from up to 100 addresses.
  private func crowd(_ state: inout DownloadState, _ count: Int, at now: Instant) {
    for number in 0..<count {
      state.handle(.connected(inbound(number), id(number), from: ipv4(UInt8(100 + number % 100))), at: now)
      state.handle(.opened(inbound(number), layout, isComplete: true), at: now)
    }
  }

  @Test func `a lost source that the user named is dialled again, however many strangers are connected`() {
    var state = sharing()
    for event: DownloadEvent in [
      .addressAdded(address(1), pinned: nil), .discoveryFinished, .connected(ConnectionID(1), peerID(1)),
      .opened(ConnectionID(1), layout, isComplete: true), .storageReady(Resumable()),
    ] { state.handle(event, at: .zero) }
    crowd(&state, 60, at: .zero)
    state.handle(.connectionLost(ConnectionID(1), .reset), at: .seconds(1))
    crowd(&state, 90, at: .seconds(1))
    _ = actions(of: &state)
    state.handle(.timerFired, at: .seconds(3))
    #expect(actions(of: &state).contains { if case .dial(address(1), _, _) = $0 { true } else { false } })
  }

  @Test func `an address that the user names later displaces a stranger of the most frequent address`() {
    var settings = DownloadSettings()
    settings.connectionsMax = 4
    settings.shares = true
    var state = DownloadState(settings: settings, generator: SeededGenerator(seed: 1), at: .zero)
    for event: DownloadEvent in [
      .addressAdded(address(1), pinned: nil), .addressAdded(address(2), pinned: nil), .discoveryFinished,
      .connected(ConnectionID(1), peerID(1)), .opened(ConnectionID(1), layout, isComplete: true),
      .connected(ConnectionID(2), peerID(2)), .opened(ConnectionID(2), layout, isComplete: true),
      .storageReady(Resumable()),
    ] { state.handle(event, at: .zero) }
    for number in 1...2 {
      state.handle(.connected(inbound(number), id(number), from: ipv4(9)), at: .zero)
      state.handle(.opened(inbound(number), layout, isComplete: true), at: .zero)
    }
    _ = actions(of: &state)
    state.handle(.addressAdded(address(3), pinned: nil), at: .seconds(1))
    let all = actions(of: &state)
    #expect(all.contains(.disconnect(inbound(2), .done)))
    #expect(all.contains { if case .dial(address(3), _, _) = $0 { true } else { false } })
    #expect(!all.contains { if case .disconnect(ConnectionID(1), _) = $0 { true } else { false } })
  }

  @Test func `hints never keep an address of the user out of the peer book`() {
    var book = PeerBook()
    book.discoveryFinished()
    for source in 0..<80 {
      let told = (0..<16).map { (PeerAddress(ip: ipv4(UInt8(source)), port: UInt16(1 + $0)), id(source * 16 + $0)) }
      book.hear(
        told.map { (address: $0.0, pinned: $0.1) },
        from: PeerBook.Source(peer: id(10_000 + source), group: AddressGroup(ip: ipv4(UInt8(source)))))
    }
    #expect(book.count == PeerBook.addressesMax)
    for number in 200..<210 { book.add(address(UInt8(number)), pinned: nil, at: .zero) }
    var dialled: Set<PeerAddress> = []
    while let dial = book.nextNamedDial(at: .zero) { dialled.insert(dial.address) }
    #expect(dialled.count == 10)
    #expect(book.count <= PeerBook.addressesMax)
  }

  @Test func `lies of peers that dialled in count against their address`() {
    var state = sharing()
    for event: DownloadEvent in [
      .addressAdded(address(1), pinned: nil), .discoveryFinished, .connected(ConnectionID(1), peerID(1)),
      .opened(ConnectionID(1), layout, isComplete: true), .storageReady(Resumable()),
    ] { state.handle(event, at: .zero) }
    for number in 0..<PeerBook.liesMax {
      state.handle(.connected(inbound(number), id(number), from: ipv4(50)), at: .zero)
      state.handle(.opened(inbound(number), layout, isComplete: true), at: .zero)
      state.handle(.lied(inbound(number)), at: .zero)
    }
    #expect(state.book.isSuspect(AddressGroup(ip: ipv4(50))))
    #expect(!state.book.isSuspect(AddressGroup(ip: ipv4(51))))
  }

  @Test func `many connections of one address make room for another address`() {
    var state = sharing()
    for event: DownloadEvent in [
      .addressAdded(address(1), pinned: nil), .discoveryFinished, .connected(ConnectionID(1), peerID(1)),
      .opened(ConnectionID(1), layout, isComplete: true), .storageReady(Resumable()),
    ] { state.handle(event, at: .zero) }
    for number in 0..<40 { state.handle(.connected(inbound(number), id(number), from: ipv4(50)), at: .zero) }
    _ = actions(of: &state)
    state.handle(.connected(inbound(99), id(99), from: ipv4(51)), at: .zero)
    #expect(actions(of: &state).contains(.open(inbound(99))))
  }
}
