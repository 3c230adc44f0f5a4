// The names of a node's connections. None is given twice.
import Synchronization
import Transfer

/// Any thread may take names.
final class ConnectionNames: Sendable {
  /// The number of the next connection. In epoll, the numbers below the first are a loop's own descriptors.
  private let next = Atomic<UInt64>(NetworkLoop.listenerToken + 1)
  private let inboundCount = Atomic<UInt64>(0)

  /// The name of a new connection that one of the loops will run.
  func take(forLoop loop: Int) -> ConnectionToken {
    ConnectionToken(loop: loop, number: next.add(1, ordering: .relaxed).oldValue)
  }

  /// A name for a connection that came in and fetches as well.
  func takeInbound() -> ConnectionID {
    ConnectionID(ConnectionID.firstInbound.rawValue + inboundCount.add(1, ordering: .relaxed).oldValue)
  }
}
