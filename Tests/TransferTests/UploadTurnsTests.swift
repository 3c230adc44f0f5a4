// Whose turn it is to be sent a piece.
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
