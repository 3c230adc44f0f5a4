// The events of a node for programs that use Swift's concurrency: as many readers as a program wants, each bounded.
import Posix
import Synchronization

/// The events of a node from one moment on, made by `Node.events()`. One task reads them: if several do, each event goes to one of
/// them. The sequence ends when the node has
/// stopped, or when the task that reads is cancelled.
///
/// Events that wait are bounded: if the program falls `waitingMax` of them behind, the oldest ones that peers caused are lost
/// first, and `lostCount` counts them.
public struct NodeEvents: AsyncSequence, Sendable {
  public typealias Element = NodeEvent
  public typealias Failure = Never

  /// Events that wait for the program: about a megabyte at most, of the peers' making.
  public static let waitingMax = 1_024

  fileprivate let reader: Reader

  /// Events that were lost because the program did not read them in time.
  public var lostCount: Int { reader.queue.lostCount }

  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: reader) }

  public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
    fileprivate let reader: Reader

    /// The next event; nil when none follows.
    public func next() async -> NodeEvent? {
      await withTaskCancellationHandler {
        await reader.queue.next()
      } onCancel: {
        reader.queue.abandon()
      }
    }
  }

  /// A reader. Events are kept for it as long as the sequence or its iterator exists.
  fileprivate final class Reader: Sendable {
    let queue = ReaderQueue<EventBacklog>(isRead: true)
    private let source: NodeEventSource

    init(_ source: NodeEventSource) { self.source = source }

    deinit { source.remove(queue) }
  }
}

/// Gives each event of a node to all that read them. Any thread may use it, and no call waits for a reader.
final class NodeEventSource: Sendable {
  /// Events before the first reader came that are kept for it: a node reports at its start whether others can find it.
  static let firstEventsMax = 64

  private struct State {
    var queues: [ReaderQueue<EventBacklog>] = []
    /// For the first reader; nil once it came.
    var first: EventBacklog? = EventBacklog(countMax: firstEventsMax)
    var isClosed = false
  }
  private let state = Mutex(State())

  func report(_ event: NodeEvent) {
    let queues = state.withLock { state in
      state.first?.put(event)
      return state.queues
    }
    for queue in queues { queue.put(event) }
  }

  /// The events from now on. The first reader gets those since the start, too.
  func events() -> NodeEvents {
    let reader = NodeEvents.Reader(self)
    state.withLock { state in
      if var first = state.first.take() { while let event = first.take() { reader.queue.put(event) } }
      if state.isClosed { reader.queue.close() } else { state.queues.append(reader.queue) }
    }
    return NodeEvents(reader: reader)
  }

  /// Readers that get events.
  var readerCount: Int { state.withLock { $0.queues.count } }

  fileprivate func remove(_ queue: ReaderQueue<EventBacklog>) {
    state.withLock { $0.queues.removeAll { $0 === queue } }
  }

  /// No event follows.
  func close() {
    let queues = state.withLock { state in
      state.isClosed = true
      defer { state.queues = [] }
      return state.queues
    }
    for queue in queues { queue.close() }
  }
}

extension Node {
  /// The events of the node from now on, for one task. The first call also gives those since the start, as far as they are
  /// kept. A program may call it several times: each sequence has all events.
  public func events() -> NodeEvents { context.events.events() }
}

extension Server {
  /// The events of the server's node (`Node.events`).
  public func events() -> NodeEvents { node.events() }
}
