// What a node checks again when peers report wrong data: only what it has sent, in turns, and not too often.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct SentChunksTests {
  private var sent = SentChunks()

  @Test mutating func `the last sent chunks are remembered, newest first, each once`() {
    for chunk in 0..<300 as Range<UInt32> {
      for _ in 0..<16 { sent.note(ChunkIndex(chunk), of: FileHandle(1)) }
    }
    let found = sent.newestFirst
    #expect(found.map(\.chunk.rawValue) == (0..<SentChunks.countMax as Range<Int>).map { 299 - UInt32($0) })
    sent.note(ChunkIndex(298), of: FileHandle(1))
    sent.note(ChunkIndex(298), of: FileHandle(2))
    let again = sent.newestFirst
    #expect(again.prefix(3).map(\.chunk.rawValue) == [298, 298, 299])
    #expect(again.prefix(3).map(\.handle) == [FileHandle(2), FileHandle(1), FileHandle(1)])
    #expect(again.count == SentChunks.countMax - 1)
  }

  @Test mutating func `fewer sent chunks than the limit are all remembered, newest first`() {
    let none = sent.newestFirst
    #expect(none.isEmpty)
    for chunk in [5, 6, 5] as [UInt32] { sent.note(ChunkIndex(chunk), of: FileHandle(1)) }
    let found = sent.newestFirst
    #expect(found.map(\.chunk.rawValue) == [5, 6])
  }
}

@Suite struct RechecksTests {
  private typealias Item = Rechecks<String>.Item
  private var rechecks = Rechecks<String>(at: .zero)

  private static func group(_ last: UInt8) -> AddressGroup { AddressGroup(ip: ipv4(last)) }
  private static func items(_ chunks: Range<UInt32>, of content: String = "a") -> [Item] {
    chunks.map { Item(content, ChunkIndex($0)) }
  }

  /// Takes the checks that are due at this time.
  private mutating func check(at now: Instant) -> [Item] {
    var checked: [Item] = []
    while case .check(let item) = rechecks.next(at: now) { checked.append(item) }
    return checked
  }

  @Test mutating func `the chunks sent on one connection are checked at once, in their order`() {
    let items = Self.items(0..<100)
    rechecks.ask(items, from: Self.group(1))
    let checked = check(at: .zero)
    #expect(checked == items)
    let next = rechecks.next(at: .zero)
    #expect(next == .nothing)
  }

  @Test mutating func `a peer that keeps complaining gets 16 chunks a second checked, each at most every 10 s`() {
    var checked: [Item: [Instant]] = [:]
    var count = 0
    for step in 0..<6_000 as Range<Int64> {
      let now = Instant.milliseconds(step * 10)
      rechecks.ask(Self.items(0..<64, of: step % 2 == 0 ? "a" : "b"), from: Self.group(1))
      for item in check(at: now) {
        checked[item, default: []].append(now)
        count += 1
      }
    }
    #expect(count <= Rechecks<String>.burst + 60 * Rechecks<String>.perSecondMax)
    for (item, times) in checked {
      for (earlier, later) in zip(times, times.dropFirst()) { #expect(later - earlier >= .seconds(10), "\(item)") }
    }
    #expect(checked.count == 128, "all of them have their turn")
  }

  @Test mutating func `a complaint is checked soon beside any number of liars from few addresses`() {
    for step in 0..<1_000 as Range<Int64> {
      let now = Instant.milliseconds(step * 10)
      for liar in 1...30 as ClosedRange<UInt8> {
        let first = UInt32(truncatingIfNeeded: step) &* 128
        rechecks.ask(Self.items(first..<first + 128), from: Self.group(liar))
      }
      if step < 999 { _ = check(at: now) }
    }
    rechecks.ask(Self.items(7..<8, of: "changed"), from: Self.group(99))
    var seconds = 0
    for step in 0..<100 {
      let checked = check(at: .seconds(10 + Double(step)))
      seconds = step
      if checked.contains(Item("changed", ChunkIndex(7))) { break }
    }
    #expect(seconds <= 3, "31 addresses have 16 turns a second")
  }

  @Test mutating func `all addresses of an IPv6 network wait as one group and leave the turns of others alone`() {
    func address(_ network: UInt8, _ host: UInt8) -> AddressGroup {
      AddressGroup(ip: [0x20, 1, 0, 0, 0, 0, 0, network] + Array(repeating: 0, count: 7) + [host])
    }
    for host in 0..<100 as Range<UInt8> {
      let first = UInt32(host) * 128
      rechecks.ask(Self.items(first..<first + 128), from: address(1, host))
    }
    rechecks.ask(Self.items(7..<8, of: "changed"), from: address(2, 1))
    let checked = check(at: .zero)
    #expect(checked.contains(Item("changed", ChunkIndex(7))))
  }

  @Test mutating func `a chunk that rests is checked afterwards, and the queue is bounded`() {
    rechecks.ask(Self.items(0..<1), from: Self.group(1))
    let first = check(at: .zero)
    rechecks.ask(Self.items(0..<1), from: Self.group(2))
    let early = rechecks.next(at: .seconds(4))
    let late = check(at: .seconds(10))
    #expect(first == late && early == .wait(.seconds(6)))
    for address in 0..<200 as Range<UInt8> { rechecks.ask(Self.items(100..<1_000), from: Self.group(address)) }
    var now = Instant.seconds(100)
    var chunks: Set<Item> = []
    while true {
      let next = rechecks.next(at: now)
      if case .nothing = next { break }
      if case .check(let item) = next { chunks.insert(item) }
      if case .wait(let delay) = next { now = now + delay }
    }
    #expect(chunks.count == Rechecks<String>.perAskerMax)
  }
}
