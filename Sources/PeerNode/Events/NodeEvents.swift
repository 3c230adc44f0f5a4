// The events of a node as async sequences: any number of readers, each with a bounded queue.
import Posix
import Synchronization

/// The events of a node from one moment on, made by `Node.events()`. One task reads them; if several do, each event
/// goes to one of them. The sequence ends when the node has stopped, or when the reading task is cancelled.
///
/// The queue is bounded. If the program falls `waitingMax` events behind, the oldest events that peers caused are
/// dropped first, and `lostCount` counts the dropped ones.
public struct NodeEvents: AsyncSequence, Sendable {
  public typealias Element = NodeEvent
  public typealias Failure = Never

  /// The most events that wait for the program: about a megabyte at most, which peers can fill.
  public static let waitingMax = 1_024

  fileprivate let reader: Reader

  /// The number of events that were dropped because the program did not read them in time.
  public var lostCount: Int { reader.queue.lostCount }

  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: reader) }

  public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
    fileprivate let reader: Reader

    /// Returns the next event; nil when no more will come.
    public func next() async -> NodeEvent? {
      await withTaskCancellationHandler {
        await reader.queue.next()
      } onCancel: {
        reader.queue.abandon()
      }
    }
  }

  /// A reader of events. Its queue lives as long as the sequence or its iterator.
  fileprivate final class Reader: Sendable {
    let queue = ReaderQueue<EventBacklog>(isRead: true)
    private let source: NodeEventSource

    init(_ source: NodeEventSource) { self.source = source }

    deinit { source.remove(queue) }
  }
}

/// Gives each event of a node to all readers. Any thread may call it, and no call waits for a reader.
final class NodeEventSource: Sendable {
  /// How many events are kept for the first reader before it exists: a node reports at its start if others cannot find
  /// it.
  static let firstEventsMax = 64

  private struct State {
    var queues: [ReaderQueue<EventBacklog>] = []
    /// The events for the first reader; nil once there was one.
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

  /// Returns the events from now on. The first reader also gets those since the start.
  func events() -> NodeEvents {
    let reader = NodeEvents.Reader(self)
    state.withLock { state in
      if var first = state.first.take() { while let event = first.take() { reader.queue.put(event) } }
      if state.isClosed { reader.queue.close() } else { state.queues.append(reader.queue) }
    }
    return NodeEvents(reader: reader)
  }

  /// The number of readers that get events.
  var readerCount: Int { state.withLock { $0.queues.count } }

  fileprivate func remove(_ queue: ReaderQueue<EventBacklog>) {
    state.withLock { $0.queues.removeAll { $0 === queue } }
  }

  /// Ends the sequences of all readers.
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
  /// Returns the events of the node from now on, for one task. The first call also returns those since the start, as
  /// far as they are kept. A program may call it several times: each sequence has all events.
  public func events() -> NodeEvents { context.events.events() }
}

extension Server {
  /// Returns the events of the server's node (`Node.events`).
  public func events() -> NodeEvents { node.events() }
}
