// The cost of a byte queue, whatever pieces a peer sends.
import Posix
import Testing

@Suite struct ByteQueueTests {
  @Test func `appending many small pieces moves few bytes`() {
    var queue = ByteQueue()
    var moves = 0
    var capacity = 0
    for _ in 0..<10_000 {
      queue.append([UInt8](repeating: 1, count: 31))
      if queue.capacity != capacity { moves += 1 }
      capacity = queue.capacity
    }
    #expect(queue.count == 310_000)
    #expect(moves < 50)
  }
}
