// How threads of the node speak to one another: values are put in, one thread takes them all out.
import Posix
import Synchronization

/// A queue with many senders and one receiver, whose `number` is readable in epoll while something waits.
final class Mailbox<Message: Sendable>: Sendable {
  private let waiting = Mutex<[Message]>([])
  private let wakeUp: WakeUp

  init() throws(Errno) { wakeUp = try WakeUp() }

  /// For the receiver's `Epoll`.
  var number: Int32 { wakeUp.number }

  /// Any thread. Wakes the receiver only when nothing waited yet.
  func send(_ message: Message) {
    let wasEmpty = waiting.withLock { queue in
      queue.append(message)
      return queue.count == 1
    }
    if wasEmpty { wakeUp.signal() }
  }

  /// Any thread: several at once, with one wake-up at most.
  func send(contentsOf messages: [Message]) {
    guard !messages.isEmpty else { return }
    let wasEmpty = waiting.withLock { queue in
      defer { queue.append(contentsOf: messages) }
      return queue.isEmpty
    }
    if wasEmpty { wakeUp.signal() }
  }

  /// The receiver alone: everything that waits, in the order in which it was sent.
  func takeAll() -> [Message] {
    wakeUp.clear()
    return waiting.withLock { queue in
      defer { queue = [] }
      return queue
    }
  }
}
