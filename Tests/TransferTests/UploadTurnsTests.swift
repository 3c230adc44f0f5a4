// Whose turn it is to be sent a piece, and who is to ask again later.
import Testing

@testable import Transfer

@Suite struct UploadTurnsTests {
  @Test func `what nobody else was promised is sent first, the rest in order`() {
    var turns = UploadTurns()
    turns.enqueue(1, isFirst: false)
    turns.enqueue(2, isFirst: false)
    turns.enqueue(3, isFirst: true)
    turns.enqueue(4, isFirst: true)
    #expect((0..<5).map { _ in turns.next() } == [3, 4, 1, 2, nil])
    #expect(turns.isEmpty)
  }

  @Test func `one turn of sixteen is for the others, so that nobody waits for ever`() {
    var turns = UploadTurns()
    var order: [UInt64] = []
    for _ in 0..<4 { turns.enqueue(2, isFirst: false) }
    for _ in 0..<64 {
      if turns.isEmpty || order.last != 2 { turns.enqueue(1, isFirst: true) }
      order.append(turns.next()!)
    }
    #expect(order.enumerated().filter { $0.element == 2 }.map(\.offset) == [15, 31, 47, 63])
  }

  @Test func `a chunk that another was promised is put off while first ones wait, but not for longer than ten seconds`()
  {
    var turns = UploadTurns()
    func accepts(_ reader: UInt64, isFirst: Bool, at milliseconds: Int64) -> Bool {
      turns.accepts(
        reader, isFirst: isFirst, isComplete: true, readersWaiting: 1, at: .zero + .milliseconds(milliseconds))
    }
    #expect(accepts(2, isFirst: false, at: 0))
    turns.enqueue(1, isFirst: true)
    #expect(!accepts(2, isFirst: false, at: 100))
    #expect(!accepts(2, isFirst: false, at: 10_099))
    #expect(accepts(2, isFirst: false, at: 10_100))
    #expect(!accepts(2, isFirst: false, at: 10_200))
    #expect(accepts(2, isFirst: true, at: 10_201))
    #expect(turns.next() == 1)
    #expect(accepts(2, isFirst: false, at: 10_300))
  }

  @Test func `eight others wait at most; a source of the whole file puts off for ten seconds, a downloader for good`() {
    var turns = UploadTurns()
    for isComplete in [true, false] {
      func accepts(_ readersWaiting: Int, at seconds: Int64) -> Bool {
        turns.accepts(
          1, isFirst: true, isComplete: isComplete, readersWaiting: readersWaiting, at: .zero + .seconds(seconds))
      }
      #expect(accepts(7, at: 0))
      #expect(!accepts(8, at: 1))
      #expect(!accepts(8, at: 10))
      #expect(accepts(8, at: 11) == isComplete)
      #expect(accepts(7, at: 12))
    }
  }

  @Test func `who has gone has no turn`() {
    var turns = UploadTurns()
    turns.enqueue(1, isFirst: true)
    turns.enqueue(1, isFirst: false)
    turns.enqueue(2, isFirst: false)
    turns.leave(1)
    #expect(turns.next() == 2)
    #expect(turns.next() == nil)
  }
}
