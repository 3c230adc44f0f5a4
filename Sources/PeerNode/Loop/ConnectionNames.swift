// Unique names for a node's connections.
import Synchronization
import Transfer

/// A source of names. Any thread may call it.
final class ConnectionNames: Sendable {
  /// The number of the next connection. Numbers below the first one mean a loop's own descriptors in epoll.
  private let next = Atomic<UInt64>(NetworkLoop.listenerToken + 1)
  private let inboundCount = Atomic<UInt64>(0)

  /// Returns the name of a new connection that this loop will run.
  func take(forLoop loop: Int) -> ConnectionToken {
    ConnectionToken(loop: loop, number: next.add(1, ordering: .relaxed).oldValue)
  }

  /// Returns a name, for downloads, of an incoming connection that also fetches.
  func takeInbound() -> ConnectionID {
    ConnectionID(ConnectionID.firstInbound.rawValue + inboundCount.add(1, ordering: .relaxed).oldValue)
  }
}
