// Whose turn it is to be sent a piece.
import Testing

@testable import Transfer

@Suite struct UploadTurnsTests {
  @Test func `what nobody else was promised is sent first, the rest in order`() {
    var turns = UploadTurns()
    turns.enqueue(1, of: host(1), isFirst: false)
    turns.enqueue(2, of: host(1), isFirst: false)
    turns.enqueue(3, of: host(1), isFirst: true)
    turns.enqueue(4, of: host(1), isFirst: true)
    #expect((0..<5).map { _ in turns.next() } == [3, 4, 1, 2, nil])
    #expect(turns.isEmpty)
  }

  @Test func `one turn of sixteen is for the others, so that nobody waits for ever`() {
    var turns = UploadTurns()
    var order: [UInt64] = []
    for _ in 0..<4 { turns.enqueue(2, of: host(1), isFirst: false) }
    for _ in 0..<64 {
      if turns.isEmpty || order.last != 2 { turns.enqueue(1, of: host(1), isFirst: true) }
      order.append(turns.next()!)
    }
    #expect(order.enumerated().filter { $0.element == 2 }.map(\.offset) == [15, 31, 47, 63])
  }

  @Test func `who has gone has no turn`() {
    var turns = UploadTurns()
    turns.enqueue(1, of: host(1), isFirst: true)
    turns.enqueue(1, of: host(1), isFirst: false)
    turns.enqueue(2, of: host(1), isFirst: false)
    turns.leave(1, of: host(1))
    #expect(turns.next() == 2)
    #expect(turns.next() == nil)
  }

  /// Takes turns; each reader waits again as soon as it was sent a piece. How many turns each reader had.
  private func share(
    _ count: Int, of turns: inout UploadTurns, _ group: (UInt64) -> AddressGroup
  ) -> [UInt64: Int] {
    var had: [UInt64: Int] = [:]
    for _ in 0..<count {
      guard let reader = turns.next() else { break }
      had[reader, default: 0] += 1
      turns.enqueue(reader, of: group(reader), isFirst: false)
    }
    return had
  }

  @Test func `a host with fifty connections gets the same share as a host with one`() {
    var turns = UploadTurns()
    func group(_ reader: UInt64) -> AddressGroup { host(reader <= 50 ? 1 : 2) }
    for reader in UInt64(1)...51 { turns.enqueue(reader, of: group(reader), isFirst: false) }
    let had = share(1_000, of: &turns, group)
    #expect(had[51] == 500)
    #expect((1...50).allSatisfy { had[$0] == 10 }, "its connections share evenly: \(had)")
  }

  @Test func `connections of one address share evenly`() {
    var turns = UploadTurns()
    for reader in UInt64(1)...7 { turns.enqueue(reader, of: host(1), isFirst: false) }
    let had = share(700, of: &turns) { _ in host(1) }
    #expect((1...7).allSatisfy { had[$0] == 100 })
  }

  @Test func `hosts take turns among those that go first too`() {
    var turns = UploadTurns()
    for reader in UInt64(1)...10 { turns.enqueue(reader, of: host(1), isFirst: true) }
    turns.enqueue(11, of: host(2), isFirst: true)
    #expect([turns.next(), turns.next(), turns.next()] == [1, 11, 2])
  }

  @Test func `a host of which one connection goes keeps its place`() {
    var turns = UploadTurns()
    turns.enqueue(1, of: host(1), isFirst: false)
    turns.enqueue(2, of: host(1), isFirst: false)
    turns.enqueue(3, of: host(2), isFirst: false)
    turns.leave(1, of: host(1))
    #expect((0..<3).map { _ in turns.next() } == [2, 3, nil])
    turns.leave(2, of: host(1))
    #expect(turns.isEmpty)
    turns.enqueue(2, of: host(1), isFirst: false)
    #expect(turns.next() == 2)
  }
}
