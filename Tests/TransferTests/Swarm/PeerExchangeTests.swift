// Which peers a node announces to which others, which announcements it believes, and what a source has promised.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct PeerExchangeTests {
  private func v4(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> [UInt8] {
    Array(repeating: 0, count: 10) + [255, 255, a, b, c, d]
  }

  private func peer(_ number: Int) -> PeerID {
    PeerID(digest: Digest([UInt8(number >> 8), UInt8(number & 255)] + Array(repeating: 0, count: 30))!)
  }

  private func directory() -> PeerDirectory { PeerDirectory(generator: SeededGenerator(seed: 7)) }

  // MARK: Telling

  @Test func `a newcomer learns of the others at once, and they learn of it a minute later`() {
    var directory = directory()
    for i in 1...3 {
      directory.join(ConnectionToken(i), peer(i), ip: v4(10, 0, 0, UInt8(i)), port: 9800, isListener: true, at: .zero)
    }
    let first = directory.messages(at: .zero)
    #expect(first.map(\.member) == [1, 2, 3])
    #expect(first.allSatisfy { $0.entries.count == 2 })
    directory.join(4, peer(4), ip: v4(10, 0, 0, 4), port: 9801, isListener: true, at: .seconds(1))
    let second = directory.messages(at: .seconds(1))
    #expect(second.map(\.member) == [4] && second[0].entries.count == 3)
    let early = directory.messages(at: .seconds(59))
    #expect(early.isEmpty)
    let third = directory.messages(at: .seconds(60))
    #expect(third.map(\.member) == [1, 2, 3])
    #expect(third.allSatisfy { $0.entries == [PeerExchange.Entry(ip: v4(10, 0, 0, 4), port: 9801, peer: peer(4))] })
    let late = directory.messages(at: .seconds(1000))
    #expect(late.isEmpty)
  }

  @Test func `no peer is told of itself, a peer without address, one that left, or one peer twice`() {
    var directory = directory()
    directory.join(1, peer(1), ip: v4(10, 0, 0, 1), port: 9800, isListener: true, at: .zero)
    directory.join(2, peer(1), ip: v4(10, 0, 0, 1), port: 9800, isListener: false, at: .zero)
    directory.join(3, peer(3), ip: v4(10, 0, 0, 3), port: nil, isListener: false, at: .zero)
    directory.join(4, peer(4), ip: v4(10, 0, 0, 4), port: 0, isListener: false, at: .zero)
    directory.join(5, peer(5), ip: v4(10, 0, 0, 5), port: 1, isListener: false, at: .zero)
    directory.leave(5, at: .zero)
    directory.join(6, peer(6), ip: v4(10, 0, 0, 6), port: 1, isListener: false, at: .zero)
    directory.join(7, peer(6), ip: v4(10, 0, 0, 7), port: 1, isListener: false, at: .zero)
    let messages = directory.messages(at: .zero)
    #expect(messages.count == 1 && messages[0].entries.map(\.peer) == [peer(6)])
  }

  @Test func `a message has at most 50 entries`() {
    var directory = directory()
    directory.join(0, peer(0), ip: v4(10, 0, 0, 1), port: 1, isListener: true, at: .zero)
    for i in 1...120 {
      directory.join(ConnectionToken(i), peer(i), ip: v4(10, 0, 1, UInt8(i)), port: 1, isListener: false, at: .zero)
    }
    for (minute, count) in [50, 50, 20].enumerated() {
      let messages = directory.messages(at: .seconds(60 * Double(minute)))
      #expect(messages.map(\.entries.count) == [count])
    }
  }

  @Test func `a turned-away peer is told of few others, and of more once it has a place`() {
    var directory = directory()
    func join(isTurnedAway: Bool) {
      directory.join(
        0, peer(0), ip: v4(10, 0, 0, 1), port: 1, isListener: true, isTurnedAway: isTurnedAway, at: .zero)
    }
    join(isTurnedAway: true)
    for i in 1...120 {
      directory.join(ConnectionToken(i), peer(i), ip: v4(10, 0, 1, UInt8(i)), port: 1, isListener: false, at: .zero)
    }
    let few = directory.messages(to: [0], at: .zero)
    #expect(few.map(\.entries.count) == [16])
    join(isTurnedAway: false)
    let more = directory.messages(at: .seconds(60))
    #expect(more.map(\.entries.count) == [50])
    #expect(Set((few + more).flatMap(\.entries).map(\.peer)).count == 66)
  }

  @Test func `the record of what one peer was told is bounded`() {
    var directory = directory()
    directory.join(0, peer(0), ip: v4(10, 0, 0, 1), port: nil, isListener: true, at: .zero)
    var told: Set<PeerID> = []
    for minute in 0..<60 {
      let now = Instant.seconds(Double(60 * minute))
      for i in 1...50 {
        let number = 50 * minute + i
        let ip = v4(10, 1, UInt8(minute), UInt8(i))
        directory.join(ConnectionToken(number), peer(number), ip: ip, port: 1, isListener: false, at: now)
      }
      let entries = directory.messages(to: [0], at: now).flatMap(\.entries)
      let isKnown = entries.contains { told.contains($0.peer) }
      #expect(entries.count == 50 && !isKnown, "as long as the bound is not reached, each comes once")
      told.formUnion(entries.map(\.peer))
      #expect(directory.toldCount(of: 0) == min(told.count, PeerDirectory.toldMax))
      for i in 1...50 { directory.leave(ConnectionToken(50 * minute + i), at: now) }
    }
    #expect(told.count == 3_000)
  }

  @Test func `a member with no new peer to learn of is checked again after a pause`() {
    var directory = directory()
    directory.join(0, peer(0), ip: v4(8, 8, 8, 8), port: nil, isListener: true, at: .zero)
    directory.join(1, peer(1), ip: v4(127, 0, 0, 1), port: 1, isListener: false, at: .zero)
    #expect(directory.messages(at: .zero).isEmpty, "a local address is of no use to it")
    directory.join(2, peer(2), ip: v4(9, 9, 9, 9), port: 1, isListener: false, at: .seconds(1))
    #expect(directory.messages(at: .seconds(1)).isEmpty)
    #expect(directory.messages(at: .seconds(5)).flatMap(\.entries).map(\.peer) == [peer(2)])
  }

  @Test func `half of the named peers may be turned-away ones, for a minute, and few from one host`() {
    var directory = directory()
    for i in 1...50 {
      directory.join(ConnectionToken(i), peer(i), ip: v4(10, 0, 1, UInt8(i)), port: 1, isListener: false, at: .zero)
    }
    func turnAway(_ i: Int, _ ip: [UInt8], port: UInt16?) {
      directory.join(ConnectionToken(i), peer(i), ip: ip, port: port, isListener: true, isTurnedAway: true, at: .zero)
      directory.leave(ConnectionToken(i), at: .zero)
    }
    func told(_ i: Int, at now: Instant) -> [PeerExchange.Entry] {
      directory.join(
        ConnectionToken(i), peer(i), ip: v4(10, 0, 3, 1), port: nil, isListener: true, isTurnedAway: true, at: now)
      defer { directory.leave(ConnectionToken(i), at: now) }
      return directory.messages(to: [ConnectionToken(i)], at: now).flatMap(\.entries)
    }
    for i in 101...130 { turnAway(i, v4(10, 0, 2, 1), port: UInt16(i)) }
    let ofOneHost = told(900, at: .zero).filter { $0.ip == v4(10, 0, 2, 1) }
    #expect(Set(ofOneHost.map(\.port)) == Set(123...130))
    for i in 201...240 { turnAway(i, v4(10, 0, 4, UInt8(i)), port: 1) }
    turnAway(300, v4(10, 0, 5, 1), port: nil)
    let entries = told(901, at: .seconds(59))
    #expect(entries.count == 16 && entries.count { $0.ip[14] == 1 } == 8)
    #expect(!entries.contains { $0.peer == peer(300) })
    #expect(told(902, at: .seconds(60)).allSatisfy { $0.ip[14] == 1 })
    // A peer that left by itself is no longer announced.
    directory.leave(1, at: .seconds(60))
    #expect(!(0..<20).contains { round in told(910 + round, at: .seconds(60)).contains { $0.peer == peer(1) } })
  }

  @Test func `few turned-away peers of one IPv6 network are named`() {
    var directory = directory()
    for i in 1...30 {
      let ip = [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [UInt8(i)]
      directory.join(ConnectionToken(i), peer(i), ip: ip, port: 1, isListener: true, isTurnedAway: true, at: .zero)
      directory.leave(ConnectionToken(i), at: .zero)
    }
    let reader = [0x20, 0x01, 0x0D, 0xB8, 0, 1] + Array(repeating: UInt8(0), count: 9) + [1]
    directory.join(100, peer(100), ip: reader, port: nil, isListener: true, at: .zero)
    #expect(Set(directory.messages(at: .zero).flatMap(\.entries).map(\.peer)) == Set((23...30).map { peer($0) }))
  }

  @Test func `no peer is told of an address that means another host in its network`() {
    let hosts = [v4(127, 0, 0, 1), v4(192, 168, 1, 2), v4(8, 8, 8, 8), v4(169, 254, 1, 1)]
    let expected: [[Int]] = [[1, 2], [2], [], []]
    for (listener, told) in expected.enumerated() where listener != 3 {
      var directory = directory()
      for (i, ip) in hosts.enumerated() {
        directory.join(ConnectionToken(i), peer(i), ip: ip, port: 1, isListener: i == listener, at: .zero)
      }
      let entries = directory.messages(at: .zero).flatMap(\.entries).map(\.peer)
      #expect(Set(entries) == Set(told.map(peer)), "\(hosts[listener])")
    }
  }

  @Test func `the reach of each address follows the registries`() {
    func reach(_ ip: [UInt8]) -> AddressReach? { AddressReach(ip) }
    #expect(reach(v4(127, 1, 2, 3)) == .host && reach(v4(10, 1, 1, 1)) == .site && reach(v4(172, 31, 0, 1)) == .site)
    #expect(reach(v4(172, 32, 0, 1)) == .world && reach(v4(100, 64, 0, 1)) == .site && reach(v4(9, 9, 9, 9)) == .world)
    #expect(reach(v4(0, 1, 1, 1)) == nil && reach(v4(224, 0, 0, 1)) == nil && reach(v4(255, 255, 255, 255)) == nil)
    let zeros = Array(repeating: UInt8(0), count: 15)
    #expect(reach(zeros + [1]) == .host && reach(zeros + [0]) == nil)
    #expect(reach([0xFE, 0x80] + zeros.dropLast() + []) == .link && reach([0xFD, 1] + zeros.dropLast()) == .site)
    #expect(reach([0x20, 1] + zeros.dropLast()) == .world && reach([0xFF, 2] + zeros.dropLast()) == nil)
  }

  // MARK: Being told

  private func told(_ entries: [PeerExchange.Entry], from ip: [UInt8]) -> DownloadState {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    for event: DownloadEvent in [
      .addressAdded(PeerAddress(ip: ip, port: 9), pinned: nil), .discoveryFinished,
      .connected(ConnectionID(1), peer(1)),
      .opened(ConnectionID(1), ChunkLayout(fileLength: 4 << 20)!, isComplete: true), .peers(ConnectionID(1), entries),
    ] { state.handle(event, at: .zero) }
    return state
  }

  private func dials(of state: inout DownloadState) -> [(address: PeerAddress, pinned: PeerID?, id: ConnectionID)] {
    var dials: [(address: PeerAddress, pinned: PeerID?, id: ConnectionID)] = []
    while let action = state.nextAction() {
      if case .dial(let address, let pinned, let id) = action, id != ConnectionID(1) {
        dials.append((address, pinned, id))
      }
    }
    return dials
  }

  @Test func `hints are dialled with their PeerID pinned`() {
    let entry = PeerExchange.Entry(ip: v4(10, 0, 0, 2), port: 9800, peer: peer(2))
    var state = told([entry, entry], from: v4(10, 0, 0, 1))
    let dials = dials(of: &state)
    #expect(dials.count == 1 && dials[0].address == PeerAddress(ip: entry.ip, port: 9800) && dials[0].pinned == peer(2))
  }

  @Test func `a private address from a public peer, port 0 and a connected peer are not dialled`() {
    var state = told(
      [
        PeerExchange.Entry(ip: v4(10, 0, 0, 2), port: 9800, peer: peer(2)),
        PeerExchange.Entry(ip: v4(127, 0, 0, 1), port: 22, peer: peer(3)),
        PeerExchange.Entry(ip: v4(8, 8, 8, 9), port: 0, peer: peer(4)),
        PeerExchange.Entry(ip: v4(8, 8, 8, 9), port: 9, peer: peer(1)),
      ], from: v4(8, 8, 8, 8))
    #expect(dials(of: &state).isEmpty)
  }

  @Test func `a poisoned list of 10,000 addresses leads to a handful of dials`() {
    var state = told([], from: v4(10, 0, 0, 1))
    _ = dials(of: &state)
    var count = 0
    for message in 0..<200 {
      let now = Instant.seconds(Double(message))
      let entries = (0..<50).map {
        let number = message * 50 + $0
        return PeerExchange.Entry(
          ip: v4(10, 1, UInt8(number >> 8), UInt8(number & 255)), port: 9, peer: peer(1000 + number))
      }
      state.handle(.peers(ConnectionID(1), entries), at: now)
      var dials = dials(of: &state)
      while !dials.isEmpty {
        count += dials.count
        for dial in dials { state.handle(.dialFailed(dial.id, .refused), at: now) }
        dials = self.dials(of: &state)
      }
    }
    #expect((1...PeerBook.addressesPerSourceMax).contains(count), "\(count) dials")
  }

  /// Each dialled peer announces 16 others and has no free slot, as in a crowd whose slots are all taken.
  @Test func `a download that all peers turn away dials some at once, then a few per second`() {
    var next = 0
    func others() -> [PeerExchange.Entry] {
      (0..<16).map { _ in
        next += 1
        return PeerExchange.Entry(ip: v4(10, 1, UInt8(next >> 8), UInt8(next & 255)), port: 9, peer: peer(1000 + next))
      }
    }
    var state = told(others(), from: v4(10, 0, 0, 1))
    let layout = ChunkLayout(fileLength: 4 << 20)!
    var counts: [Int] = []
    for second in 0...3 {
      var count = 0
      // Whatever happens meanwhile: a timer, and messages of dialled peers.
      for step in 0..<200 {
        let now = Instant.milliseconds(Int64(1000 * second + 5 * step))
        if let deadline = state.deadline, deadline <= now { state.handle(.timerFired, at: now) }
        for dial in dials(of: &state) {
          count += 1
          state.handle(.connected(dial.id, dial.pinned!), at: now)
          state.handle(.opened(dial.id, layout, isComplete: false), at: now)
          state.handle(.peers(dial.id, others()), at: now)
          state.handle(.connectionLost(dial.id, .goodbye(CloseCode.tooManyConnections.rawValue)), at: now)
        }
      }
      counts.append(count)
    }
    let perSecond = 8
    #expect((DialPace.burst...DialPace.burst + perSecond).contains(counts[0]), "\(counts)")
    #expect(counts.dropFirst().allSatisfy { (perSecond - 1...perSecond + 1).contains($0) }, "\(counts)")
    #expect(DialPace.interval * perSecond == .seconds(1))
  }

  @Test func `a full peer is dialled again after 5 s if the user named it, or when it is hinted again`() {
    let hint = PeerExchange.Entry(ip: v4(10, 0, 0, 2), port: 9800, peer: peer(2))
    var state = told([hint], from: v4(10, 0, 0, 1))
    let dialled = dials(of: &state)
    #expect(dialled.count == 1)
    let full = LossReason.goodbye(CloseCode.tooManyConnections.rawValue)
    state.handle(.connected(dialled[0].id, peer(2)), at: .seconds(1))
    state.handle(.opened(dialled[0].id, ChunkLayout(fileLength: 4 << 20)!, isComplete: false), at: .seconds(1))
    state.handle(.connectionLost(dialled[0].id, full), at: .seconds(1))
    state.handle(.peers(ConnectionID(1), [hint]), at: .seconds(1))
    #expect(dials(of: &state).map(\.pinned) == [peer(2)])
    state.handle(.connectionLost(ConnectionID(1), full), at: .seconds(2))
    state.handle(.timerFired, at: .milliseconds(6_999))
    #expect(dials(of: &state).isEmpty)
    state.handle(.timerFired, at: .seconds(7))
    #expect(dials(of: &state).map(\.address) == [PeerAddress(ip: v4(10, 0, 0, 1), port: 9)])
  }

  @Test func `a source without room is dialled three times more before the download gives up`() throws {
    var state = DownloadState(settings: DownloadSettings(), generator: SeededGenerator(seed: 1), at: .zero)
    let address = PeerAddress(ip: v4(10, 0, 0, 1), port: 9)
    state.handle(.addressAdded(address, pinned: nil), at: .zero)
    state.handle(.discoveryFinished, at: .zero)
    var now = Instant.zero
    for wait in [5, 10, 20, nil] as [Int64?] {
      var dialled: ConnectionID?
      while let action = state.nextAction() { if case .dial(address, _, let id) = action { dialled = id } }
      let id = try #require(dialled, "after \(now.inSeconds) s")
      state.handle(.connected(id, peer(1)), at: now)
      state.handle(.connectionLost(id, .goodbye(CloseCode.tooManyConnections.rawValue)), at: now)
      guard let wait else { break }
      #expect(!state.isEnded)
      now = now + .seconds(wait)
      state.handle(.timerFired, at: now)
    }
    #expect(state.isEnded)
  }

  // MARK: Promising

  @Test func `a chunk is promised once, until its reader leaves`() {
    var promises = UploadPromises(chunkCount: 4)
    func join(_ reader: ConnectionToken) -> [ChunkIndex] { promises.join(reader) }
    func promise(_ chunk: UInt32, to reader: ConnectionToken) -> Bool {
      promises.promise(ChunkIndex(chunk), to: reader)
    }
    #expect(join(10).isEmpty)
    // If there is no other reader, a promise is not sent.
    #expect(!promise(0, to: 10))
    #expect(join(11) == [ChunkIndex(0)])
    #expect(!promise(0, to: 11))
    #expect(promise(1, to: 11))
    #expect(!promise(1, to: 11))
    promises.leave(10)
    #expect(promises.readerCount == 1)
    #expect(join(12) == [ChunkIndex(1)])
    #expect(promise(0, to: 12))
    #expect(!promise(9, to: 12) && !promise(2, to: 99))
  }

  @Test func `a reader that takes little of a chunk or gives it back loses its claim, and one PROMISED is sent`() {
    var promises = UploadPromises(chunkCount: 4)
    for reader in [10, 11] as [ConnectionToken] { _ = promises.join(reader) }
    func promise(_ chunk: UInt32, to reader: ConnectionToken) -> Bool {
      promises.promise(ChunkIndex(chunk), to: reader)
    }
    #expect(promise(0, to: 10))
    #expect(!promises.isFirst(11, of: ChunkIndex(0)))
    promises.settle(ChunkIndex(0), of: 11, leafCount: 64)
    #expect(!promises.isFirst(11, of: ChunkIndex(0)), "it is not its to give back")
    promises.sent(31, of: ChunkIndex(0), to: 10)
    promises.sent(9, of: ChunkIndex(0), to: 11)
    promises.settle(ChunkIndex(0), of: 10, leafCount: 64)
    #expect(promises.isFirst(11, of: ChunkIndex(0)))
    for _ in 0..<3 {
      #expect(!promise(0, to: 10))
      promises.settle(ChunkIndex(0), of: 10, leafCount: 64)
    }
    #expect(!promise(0, to: 11))
    promises.sent(32, of: ChunkIndex(0), to: 11)
    promises.settle(ChunkIndex(0), of: 11, leafCount: 64)
    #expect(!promises.isFirst(10, of: ChunkIndex(0)))
    promises.leave(11)
    #expect(promise(0, to: 10) == false && promises.isFirst(10, of: ChunkIndex(0)))
  }

  @Test func `a stranger that comes and goes causes one PROMISED, unless it takes half of the chunk each time`() {
    for (taken, tellings) in [(0, 1), (31, 1), (32, 20)] {
      var promises = UploadPromises(chunkCount: 4)
      _ = promises.join(1)
      var told = 0
      for reader in 100..<120 as Range<ConnectionToken> {
        _ = promises.join(reader)
        if promises.promise(ChunkIndex(0), to: reader) { told += 1 }
        #expect(!promises.isFirst(1, of: ChunkIndex(0)))
        promises.sent(taken, of: ChunkIndex(0), to: reader)
        promises.leave(reader)
      }
      #expect(told == tellings && promises.isFirst(1, of: ChunkIndex(0)), "\(taken) leaves: \(told) tellings")
    }
  }

  @Test func `a chunk requested by a reader that does not share is promised to no reader`() {
    var promises = UploadPromises(chunkCount: 4)
    func promise(_ chunk: UInt32, to reader: ConnectionToken) -> Bool {
      promises.promise(ChunkIndex(chunk), to: reader)
    }
    _ = promises.join(10, shares: false)
    _ = promises.join(11)
    #expect(!promise(0, to: 10))
    #expect(promises.isFirst(11, of: ChunkIndex(0)))
    #expect(promise(0, to: 11))
    #expect(!promises.isFirst(10, of: ChunkIndex(0)))
    promises.leave(10)
    _ = promises.join(10)
    #expect(promise(1, to: 10))
  }
}
