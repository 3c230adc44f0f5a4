// When a node asks the local network, and whose answers count. Numbers are exact; the test controls the clock.
import Content
import Testing
import Wire

@testable import Transfer

private let file = FileID(digest: Digest(Array(repeating: 5, count: 32))!)
private let key = FileKey(file, swarm: nil)

private func nonce(_ number: UInt32) -> [UInt8] {
  Array(repeating: 0, count: 12) + (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
}

private func ip(_ last: UInt8) -> [UInt8] { [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, last] }

/// A search that logs its actions. The network answers nothing by itself.
private struct Searching {
  var search: DiscoverySearch
  var now = Instant.zero
  var log: [(at: Instant, action: DiscoverySearch.Action)] = []

  /// The nodes on this machine that a look finds.
  var localNodes: [UInt8] = []

  init(asksNetwork: Bool = true, asksAfter: Duration = .zero, firstPhase: Duration = .seconds(5), seed: UInt64 = 1) {
    search = DiscoverySearch(
      key: key, own: peerID(255), asksNetwork: asksNetwork, asksAfter: asksAfter, firstPhase: firstPhase,
      generator: SeededGenerator(seed: seed), at: .zero)
  }

  mutating func handle(_ event: DiscoverySearch.Event) {
    search.handle(event, at: now)
    while let action = search.nextAction() {
      log.append((now, action))
      guard action == .look else { continue }
      for node in localNodes { search.handle(.localNode(address(node), peerID(node)), at: now) }
    }
  }

  mutating func run(until end: Instant) {
    while let due = search.deadline, due <= end {
      now = max(now, due)
      handle(.timerFired)
    }
    now = end
  }

  mutating func ask(_ number: UInt32) -> DiscoveryQuery { search.nextQuery(nonce: nonce(number), at: now) }

  func times(of action: DiscoverySearch.Action) -> [Instant] { log.filter { $0.action == action }.map(\.at) }
  var found: [PeerAddress] { log.compactMap { if case .found(let address, _) = $0.action { address } else { nil } } }
}

@Suite struct DiscoverySearchTests {
  @Test func `discovery asks at 0, 0.25, 1, 4 and 16 s, then every 30 s`() {
    var searching = Searching()
    searching.run(until: .seconds(200))
    let times = searching.times(of: .ask)
    #expect(times[0] == .zero)
    let waits = zip(times.dropFirst(), times).map { ($0 - $1).inSeconds }
    #expect(waits.count >= 8)
    for (wait, due) in zip(waits, [0.25, 0.75, 3, 12, 30, 30, 30, 30]) {
      #expect(wait >= due * 0.8 && wait <= due * 1.2, "\(wait) s, where \(due) s are due")
    }
    var other = Searching(seed: 2)
    other.run(until: .seconds(200))
    #expect(other.times(of: .ask) != times, "all ask at the same times")
  }

  @Test func `with named peers discovery asks a little later, and not at all while they are enough`() {
    var searching = Searching(asksAfter: .milliseconds(100), firstPhase: .milliseconds(500))
    searching.run(until: .milliseconds(500))
    #expect(searching.times(of: .ask).count == 2 && searching.times(of: .ask)[0] == .milliseconds(100))
    #expect(searching.times(of: .look)[0] == .zero)
    var enough = Searching(asksAfter: .milliseconds(100))
    enough.run(until: .milliseconds(50))
    enough.handle(.peers(live: 8, wanted: 8))
    enough.run(until: .seconds(100))
    #expect(enough.times(of: .ask).isEmpty)
    enough.handle(.peers(live: 0, wanted: 8))
    enough.run(until: .seconds(100))
    #expect(enough.times(of: .ask) == [.seconds(100)])
  }

  @Test func `discovery looks for local nodes twice a second and reports the end of its first phase`() {
    var searching = Searching()
    searching.run(until: .seconds(6))
    #expect(searching.times(of: .look).prefix(4) == [.zero, .milliseconds(500), .seconds(1), .milliseconds(1500)])
    #expect(searching.times(of: .firstPhaseOver) == [.seconds(5)])
  }

  @Test func `a first phase of no length ends after the first look for local nodes`() {
    var searching = Searching(asksNetwork: false, firstPhase: .zero)
    searching.run(until: .zero)
    #expect(searching.log.map(\.action) == [.look, .firstPhaseOver])
    // If the named peers of a download have failed, it ends with this phase. The results of the look come before that.
    var found = Searching(asksNetwork: false, firstPhase: .zero)
    found.localNodes = [7]
    found.run(until: .milliseconds(10))
    #expect(found.log.map(\.action) == [.look, .found(address(7), peerID(7)), .firstPhaseOver])
    searching.run(until: .seconds(100))
    #expect(searching.times(of: .ask).isEmpty)
  }

  @Test func `with enough peers discovery rests, and asks again when all are lost`() {
    var searching = Searching()
    searching.run(until: .seconds(1))
    searching.handle(.peers(live: 8, wanted: 8))
    let before = searching.log.count
    searching.run(until: .seconds(100))
    #expect(searching.log[before...].map(\.action) == [.firstPhaseOver])
    searching.handle(.peers(live: 0, wanted: 8))
    searching.run(until: .seconds(101))
    let again = searching.times(of: .ask).filter { $0 >= .seconds(100) }
    #expect(again.count >= 2 && again[0] == .seconds(100))
    #expect(searching.times(of: .look).contains(.seconds(100)))
  }

  @Test func `a download with nearly enough peers asks seldom`() {
    var searching = Searching()
    searching.handle(.peers(live: 8, wanted: 8))
    for i in 0..<10 {
      searching.run(until: .seconds(Double(i)))
      searching.handle(.peers(live: 7 + i % 2, wanted: 8))
    }
    #expect(searching.times(of: .ask).isEmpty)
    searching.handle(.peers(live: 7, wanted: 8))
    searching.run(until: .seconds(40))
    #expect(searching.times(of: .ask).count == 1)
  }

  @Test func `an answer to an own query gives a hint with its PeerID once`() throws {
    var searching = Searching()
    let query = searching.ask(1)
    let answer = DiscoveryAnswer(to: query, key: key, port: 9_800, peer: peerID(1)).encode()
    for _ in 0..<3 { searching.handle(.datagram(answer, from: ip(1), scope: 0)) }
    #expect(searching.log.map(\.action) == [.found(PeerAddress(ip: ip(1), port: 9_800), peerID(1))])
  }

  @Test func `an answer to another query, without proof or too late is ignored`() {
    var searching = Searching()
    let query = searching.ask(1)
    let foreign = DiscoveryQuery(nonce: nonce(2), key: key)
    let other = FileKey(FileID(digest: Digest.zero), swarm: nil)
    searching.handle(
      .datagram(DiscoveryAnswer(to: foreign, key: key, port: 1, peer: peerID(1)).encode(), from: ip(1), scope: 0))
    searching.handle(
      .datagram(DiscoveryAnswer(to: query, key: other, port: 1, peer: peerID(1)).encode(), from: ip(1), scope: 0))
    let good = DiscoveryAnswer(to: query, key: key, port: 1, peer: peerID(1)).encode()
    for length in 0...600 {
      let bytes = Array((good + Array(repeating: 0, count: 600)).prefix(length))
      if length != good.count { searching.handle(.datagram(bytes, from: ip(1), scope: 0)) }
    }
    searching.now = .seconds(10)
    searching.handle(.datagram(good, from: ip(1), scope: 0))
    #expect(searching.log.isEmpty)
  }

  @Test func `discovery ignores the own node`() {
    var searching = Searching()
    let answer = DiscoveryAnswer(to: searching.ask(1), key: key, port: 9_800, peer: peerID(255)).encode()
    searching.handle(.datagram(answer, from: ip(1), scope: 0))
    searching.handle(.localNode(PeerAddress(ip: ip(1), port: 9_800), peerID(255)))
    #expect(searching.log.isEmpty)
  }

  @Test func `a node that knows the file can add only few hints`() {
    var searching = Searching()
    let query = searching.ask(1)
    for port in 1...20 as ClosedRange<UInt16> {
      let answer = DiscoveryAnswer(to: query, key: key, port: port, peer: peerID(UInt8(port))).encode()
      searching.handle(.datagram(answer, from: ip(1), scope: 0))
    }
    #expect(searching.found.count == DiscoverySearch.foundPerAddressMax)
    for last in 2...255 as ClosedRange<UInt8> {
      for port in 1...4 as ClosedRange<UInt16> {
        searching.now = searching.now + .milliseconds(1)
        let answer = DiscoveryAnswer(to: query, key: key, port: port, peer: peerID(UInt8(port))).encode()
        searching.handle(.datagram(answer, from: ip(last), scope: 0))
      }
    }
    #expect(searching.found.count == DiscoverySearch.foundMax)
  }
}

@Suite struct HintTests {
  private var book = PeerBook()
  private let address = PeerAddress(ip: ip(1), port: 9_800)

  @Test mutating func `a hint does not replace a named peer that may still be there`() {
    book.add(address, pinned: peerID(1), at: .zero)
    book.add(address, pinned: peerID(2), isHint: true, at: .zero)
    let dialled = book.nextNamedDial(at: .zero)
    #expect(dialled?.pinned == peerID(1))
    book.ended(address, .dialFailed(.refused), at: .zero)
    let again = book.nextNamedDial(at: .seconds(100)) ?? book.nextDial(at: .seconds(100))
    #expect(again == nil)
  }

  @Test(arguments: [true, false])
  mutating func `a peer found at the address of a named peer that is gone is dialled once`(hintsFirst: Bool) {
    book.add(address, pinned: peerID(1), at: .zero)
    book.discoveryFinished()
    if hintsFirst { book.add(address, pinned: peerID(2), isHint: true, at: .zero) }
    let first = book.nextNamedDial(at: .zero)
    #expect(first?.pinned == peerID(1))
    book.ended(address, .dialFailed(.wrongPeer), at: .zero)
    if !hintsFirst { book.add(address, pinned: peerID(2), isHint: true, at: .zero) }
    let second = book.nextNamedDial(at: .zero)
    #expect(second?.pinned == peerID(2))
    book.ended(address, .dialFailed(.wrongPeer), at: .zero)
    book.add(address, pinned: peerID(2), isHint: true, at: .seconds(1))
    let third = book.nextNamedDial(at: .seconds(100)) ?? book.nextDial(at: .seconds(100))
    #expect(third == nil && !book.hasProspects)
  }

  @Test func `a waiting download dials the named peer and the found one in turn`() {
    var book = PeerBook(isPatient: true)
    book.add(address, pinned: peerID(1), at: .zero)
    book.add(address, pinned: peerID(2), isHint: true, at: .zero)
    var now = Instant.zero
    var dialled: [PeerID?] = []
    for _ in 0..<5 {
      dialled.append(book.nextNamedDial(at: now)?.pinned)
      book.ended(address, .dialFailed(.wrongPeer), at: now)
      now = now + .seconds(60)
    }
    #expect(dialled == [1, 2, 1, 2, 1].map { peerID($0) })
  }

  @Test mutating func `an address that the user names replaces a hint, even one that is being dialled`() {
    book.add(address, pinned: peerID(2), isHint: true, at: .zero)
    let hinted = book.nextDial(at: .zero)
    #expect(hinted?.pinned == peerID(2))
    book.add(address, pinned: nil, at: .zero)
    let meanwhile = book.nextNamedDial(at: .zero) ?? book.nextDial(at: .zero)
    #expect(meanwhile == nil)
    book.ended(address, .dialFailed(.wrongPeer), at: .zero)
    let dialled = book.nextNamedDial(at: .zero)
    #expect(dialled?.address == address && dialled?.pinned == nil)
    #expect(book.hasProspects)
  }

  @Test mutating func `a newer hint replaces an older one, unless its address is banned`() {
    book.add(address, pinned: peerID(1), isHint: true, at: .zero)
    _ = book.nextDial(at: .zero)
    book.ended(address, .dialFailed(.wrongPeer), at: .zero)
    book.add(address, pinned: peerID(2), isHint: true, at: .seconds(1))
    let dialled = book.nextDial(at: .seconds(1))
    #expect(dialled?.pinned == peerID(2))
    book.ban(peerID(2), at: address, group: nil)
    book.add(address, pinned: peerID(3), isHint: true, at: .seconds(2))
    let banned = book.nextDial(at: .seconds(2))
    #expect(banned == nil)
  }
}
