// The tokens that a node gives to its connections.
import Posix
import Synchronization
import Testing
import Transfer

@testable import PeerNode

@Suite struct TokenTests {
  @Test func `a node never reuses a connection number, for any loop`() throws {
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 3
    let context = try NodeContext(configuration) { _ in }
    let tokens = Mutex<[ConnectionToken]>([])
    let threads = (0..<3).map { loop in
      Thread.start(name: "taker") {
        for _ in 0..<1_000 {
          let token = context.names.take(forLoop: loop)
          tokens.withLock { $0.append(token) }
        }
      }
    }
    for thread in threads { thread.join() }
    let taken = tokens.withLock { $0 }
    let numbers = Set(taken.map { $0.rawValue & (1 << 48 - 1) })
    #expect(numbers.count == 3_000, "a number is not given out on two loops")
    #expect((0..<3).allSatisfy { loop in taken.count { $0.loop == loop } == 1_000 })
    #expect(numbers.allSatisfy { $0 > NetworkLoop.listenerToken }, "in epoll the others are the loop's own descriptors")
  }
}
