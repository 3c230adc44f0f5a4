// A message queue between the node's threads: any thread sends, one thread receives.
import Posix
import Synchronization

/// A queue with many senders and one receiver. Its `number` is readable in epoll while messages wait.
final class Mailbox<Message: Sendable>: Sendable {
  private let waiting = Mutex<[Message]>([])
  private let wakeUp: WakeUp

  init() throws(Errno) { wakeUp = try WakeUp() }

  /// The descriptor to add to the receiver's `Epoll`.
  var number: Int32 { wakeUp.number }

  /// Sends a message. Wakes the receiver only if no message waited yet. Any thread may call it.
  func send(_ message: Message) {
    let wasEmpty = waiting.withLock { queue in
      queue.append(message)
      return queue.count == 1
    }
    if wasEmpty { wakeUp.signal() }
  }

  /// Sends several messages with one wake-up at most. Any thread may call it.
  func send(contentsOf messages: [Message]) {
    guard !messages.isEmpty else { return }
    let wasEmpty = waiting.withLock { queue in
      defer { queue.append(contentsOf: messages) }
      return queue.isEmpty
    }
    if wasEmpty { wakeUp.signal() }
  }

  /// Returns and removes all messages, in the order in which they were sent. Only the receiver calls it.
  func takeAll() -> [Message] {
    wakeUp.clear()
    return waiting.withLock { queue in
      defer { queue = [] }
      return queue
    }
  }
}
