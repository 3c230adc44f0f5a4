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
    var turnedAway = 0
    var connectionsMax: Int
  }

  /// What becomes of a connection when its handshake is done.
  enum Verdict: Sendable {
    case admitted
    /// There are as many connections as there may be. It may stay for as long as it takes to be told of others.
    case turnedAway
    /// Even of those there are too many.
    case refused
  }

  private let state: Mutex<State>

  init(connectionsMax: Int) { state = Mutex(State(connectionsMax: connectionsMax)) }

  /// Newcomers are held against this from now on; nobody who is here has to go.
  func change(connectionsMax: Int) { state.withLock { $0.connectionsMax = connectionsMax } }

  /// Connections that stand, their handshakes done.
  var establishedCount: Int { state.withLock { $0.established } }

  /// Enters a newcomer. Returns the one that must go for it, if any.
  func begin(_ newcomer: HalfOpen) -> HalfOpen? {
    state.withLock { state in
      let sameAddress = state.halfOpen.indices.filter { state.halfOpen[$0].ip == newcomer.ip }
      var victim: Int?
      if sameAddress.count >= NodeLimits.halfOpenPerAddressMax {
        victim = sameAddress.first
      } else if state.halfOpen.count >= max(NodeLimits.halfOpenPerAddressMax, state.connectionsMax / 4) {
        victim = state.halfOpen.indices.first
      }
      let evicted = victim.map { state.halfOpen.remove(at: $0) }
      state.halfOpen.append(newcomer)
      return evicted
    }
  }

  /// The handshake is done. The connection counts as what it is told until `end`.
  func establish(_ token: UInt64) -> Verdict {
    state.withLock { state in
      state.halfOpen.removeAll { $0.token == token }
      if state.established < state.connectionsMax {
        state.established += 1
        return .admitted
      }
      guard state.turnedAway < NodeLimits.turnedAwayMax else { return .refused }
      state.turnedAway += 1
      return .turnedAway
    }
  }

  /// The connection is gone.
  /// - `verdict`: what it was told; nil where its handshake was not done.
  func end(_ token: UInt64, _ verdict: Verdict?) {
    state.withLock { state in
      switch verdict {
      case .admitted?: state.established -= 1
      case .turnedAway?: state.turnedAway -= 1
      case .refused?: break
      case nil: state.halfOpen.removeAll { $0.token == token }
      }
    }
  }
}
