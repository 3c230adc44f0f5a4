// Who may connect: how many connections in all, and how many that have not proven anything yet.
import Synchronization
import Wire

/// Counts the connections of all loops. A newcomer is never refused while somebody half-open can go in its place, so
/// that holding connections open without a handshake shuts nobody out.
final class Admission: Sendable {
  /// A connection that has not finished its handshake, and the loop that owns it.
  struct HalfOpen: Sendable {
    let token: UInt64
    let loop: Int
    let ip: [UInt8]
  }

  private struct State {
    /// Oldest first.
    var halfOpen: [HalfOpen] = []
    var established = 0
  }

  private let state = Mutex(State())
  private let connectionsMax: Int

  init(connectionsMax: Int) { self.connectionsMax = connectionsMax }

  /// Enters a newcomer. Returns the one that must go for it, if any.
  func begin(_ newcomer: HalfOpen) -> HalfOpen? {
    state.withLock { state in
      let sameAddress = state.halfOpen.indices.filter { state.halfOpen[$0].ip == newcomer.ip }
      var victim: Int?
      if sameAddress.count >= NodeLimits.halfOpenPerAddressMax {
        victim = sameAddress.first
      } else if state.halfOpen.count >= max(NodeLimits.halfOpenPerAddressMax, connectionsMax / 4) {
        victim = state.halfOpen.indices.first
      }
      let evicted = victim.map { state.halfOpen.remove(at: $0) }
      state.halfOpen.append(newcomer)
      return evicted
    }
  }

  /// The handshake is done. False: there are as many connections as there may be; it counts until `end` all the same.
  func establish(_ token: UInt64) -> Bool {
    state.withLock { state in
      state.halfOpen.removeAll { $0.token == token }
      state.established += 1
      return state.established <= connectionsMax
    }
  }

  /// The connection is gone.
  func end(_ token: UInt64, wasEstablished: Bool) {
    state.withLock { state in
      if wasEstablished {
        state.established -= 1
      } else {
        state.halfOpen.removeAll { $0.token == token }
      }
    }
  }
}
