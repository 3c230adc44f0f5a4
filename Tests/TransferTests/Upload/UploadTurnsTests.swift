// The order in which peers are sent pieces.
import Testing

@testable import Transfer

@Suite struct UploadTurnsTests {
  @Test func `readers of chunks that no other peer was promised go first, and the rest in order`() {
    var turns = UploadTurns()
    turns.enqueue(1, of: host(1), isFirst: false)
    turns.enqueue(2, of: host(1), isFirst: false)
    turns.enqueue(3, of: host(1), isFirst: true)
    turns.enqueue(4, of: host(1), isFirst: true)
    #expect((0..<5).map { _ in turns.next() } == [3, 4, 1, 2, nil])
    #expect(turns.isEmpty)
  }

  @Test func `one turn in sixteen goes to the other readers, so that none waits for ever`() {
    var turns = UploadTurns()
    var order: [ConnectionToken] = []
    for _ in 0..<4 { turns.enqueue(2, of: host(1), isFirst: false) }
    for _ in 0..<64 {
      if turns.isEmpty || order.last != 2 { turns.enqueue(1, of: host(1), isFirst: true) }
      order.append(turns.next()!)
    }
    #expect(order.enumerated().filter { $0.element == 2 }.map(\.offset) == [15, 31, 47, 63])
  }

  @Test func `a reader that left has no turn`() {
    var turns = UploadTurns()
    turns.enqueue(1, of: host(1), isFirst: true)
    turns.enqueue(1, of: host(1), isFirst: false)
    turns.enqueue(2, of: host(1), isFirst: false)
    turns.leave(1, of: host(1))
    #expect(turns.next() == 2)
    #expect(turns.next() == nil)
  }

  /// Takes turns. Each reader queues again as soon as it was sent a piece. Returns the number of turns of each reader.
  private func share(
    _ count: Int, of turns: inout UploadTurns, _ group: (ConnectionToken) -> AddressGroup
  ) -> [ConnectionToken: Int] {
    var had: [ConnectionToken: Int] = [:]
    for _ in 0..<count {
      guard let reader = turns.next() else { break }
      had[reader, default: 0] += 1
      turns.enqueue(reader, of: group(reader), isFirst: false)
    }
    return had
  }

  @Test func `a host with fifty connections gets the same share as a host with one`() {
    var turns = UploadTurns()
    func group(_ reader: ConnectionToken) -> AddressGroup { host(reader <= 50 ? 1 : 2) }
    for reader in ConnectionToken(1)...51 { turns.enqueue(reader, of: group(reader), isFirst: false) }
    let had = share(1_000, of: &turns, group)
    #expect(had[51] == 500)
    #expect((1...50).allSatisfy { had[$0] == 10 }, "its connections share evenly: \(had)")
  }

  @Test func `connections of one address share evenly`() {
    var turns = UploadTurns()
    for reader in ConnectionToken(1)...7 { turns.enqueue(reader, of: host(1), isFirst: false) }
    let had = share(700, of: &turns) { _ in host(1) }
    #expect((1...7).allSatisfy { had[$0] == 100 })
  }

  @Test func `hosts take turns among the readers that go first too`() {
    var turns = UploadTurns()
    for reader in ConnectionToken(1)...10 { turns.enqueue(reader, of: host(1), isFirst: true) }
    turns.enqueue(11, of: host(2), isFirst: true)
    #expect([turns.next(), turns.next(), turns.next()] == [1, 11, 2])
  }

  @Test func `a host that loses one connection keeps its place`() {
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

  @Test func `a host that other threads sent more to goes first once in nine turns`() {
    var turns = UploadTurns()
    turns.enqueue(1, of: host(1), isFirst: false)
    turns.enqueue(2, of: host(2), isFirst: false)
    var order: [ConnectionToken] = []
    for _ in 0..<27 {
      let reader = turns.next { $0 == host(1) ? 1 << 30 : 1 << 20 }!
      order.append(reader)
      turns.enqueue(reader, of: host(Int(reader.rawValue)), isFirst: false)
    }
    #expect(order.enumerated().filter { $0.element == 1 }.map(\.offset) == [7, 16, 25])
  }

  @Test func `a host on both threads gets no more than a host on one`() {
    var threads = [UploadTurns(), UploadTurns()]
    var shares = UploadShares()
    // 50 connections of one host, dealt to the threads in turn, and one connection of another host.
    func group(_ reader: ConnectionToken) -> AddressGroup { host(reader == 50 ? 2 : 1) }
    for reader in ConnectionToken(0)...50 {
      threads[Int(reader.rawValue % 2)].enqueue(reader, of: group(reader), isFirst: false)
    }
    var sent = [0, 0]
    for turn in 0..<2_000 {
      let reader = threads[turn % 2].next(sent: shares.bytes(sentTo:))!
      shares.sent(65_536, to: group(reader), at: Instant(nanoseconds: Int64(turn) * 100_000))
      threads[turn % 2].enqueue(reader, of: group(reader), isFirst: false)
      sent[reader == 50 ? 1 : 0] += 1
    }
    // All except the turns that keep the connections on the same thread alive.
    #expect(sent[1] > 860, "\(sent)")
  }

  @Test func `a host that always requests first copies gets at most two thirds`() {
    var turns = UploadTurns()
    var shares = UploadShares()
    turns.enqueue(1, of: host(1), isFirst: true)
    turns.enqueue(2, of: host(2), isFirst: false)
    var sent = [0, 0]
    for _ in 0..<3_000 {
      let reader = turns.next(sent: shares.bytes(sentTo:))!
      shares.sent(65_536, to: host(Int(reader.rawValue)), at: .zero)
      turns.enqueue(reader, of: host(Int(reader.rawValue)), isFirst: reader == 1)
      sent[Int(reader.rawValue) - 1] += 1
    }
    #expect(sent[1] > 950, "\(sent)")
  }

  @Test func `a host that was sent little does not stop the readers that go first`() {
    var turns = UploadTurns()
    turns.enqueue(1, of: host(1), isFirst: true)
    turns.enqueue(2, of: host(2), isFirst: false)
    var order: [ConnectionToken] = []
    for _ in 0..<32 {
      let reader = turns.next { $0 == host(1) ? 1 << 30 : 0 }!
      order.append(reader)
      turns.enqueue(reader, of: host(Int(reader.rawValue)), isFirst: reader == 1)
    }
    #expect(order.count { $0 == 1 } == 4, "\(order)")
  }

  @Test func `bytes sent long ago no longer count`() {
    var shares = UploadShares()
    shares.sent(1_000, to: host(1), at: .zero)
    shares.sent(1, to: host(2), at: .zero + .seconds(5))
    #expect(shares.bytes(sentTo: host(1)) == 1_000)
    shares.sent(1, to: host(2), at: .zero + .seconds(9))
    #expect(shares.bytes(sentTo: host(1)) == 0)
    shares.sent(1, to: host(2), at: .zero + .seconds(60))
    #expect(shares.bytes(sentTo: host(2)) == 1)
  }

  @Test func `a thread yields to a thread whose host was sent less, until that claim ends`() {
    var shares = UploadShares()
    shares.sent(1_000, to: host(1), at: .zero)
    shares.claim(for: host(2), by: 1, until: .zero + .milliseconds(5))
    #expect(shares.goesAfterAnother(0, for: host(1), at: .zero))
    #expect(!shares.goesAfterAnother(1, for: host(1), at: .zero), "its own claim")
    #expect(!shares.goesAfterAnother(0, for: host(2), at: .zero), "the same group")
    #expect(!shares.goesAfterAnother(0, for: host(1), at: .zero + .milliseconds(5)))
    shares.drop(claimOf: 1)
    #expect(!shares.goesAfterAnother(0, for: host(1), at: .zero))
  }
}

extension UploadTurns {
  /// Returns the next reader if all groups were sent the same.
  fileprivate mutating func next() -> ConnectionToken? { next { _ in 0 } }
}
