// The upload limits, and a count of the bytes that each address got. All loops of a node share both.
import Posix
import Synchronization
import Transfer

/// A token bucket that any thread may ask, or none.
final class UploadLimiter: Sendable {
  fileprivate struct State: Sendable {
    var bytesPerSecond: UInt64?
    var bucket: RateLimiter?
    var shares = UploadShares()
    /// Nil: a peer may get all of it.
    var peers: PeerRates?
  }

  /// What a loop does with its next piece.
  enum Pace: Hashable, Sendable {
    /// It leaves now, and is counted.
    case send
    /// No piece of the loop leaves before this has passed.
    case wait(Duration)
    /// The piece waits so long, because of the limit of its peer. Other pieces may leave.
    case hold(Duration)
  }

  private let state: Mutex<State>
  /// The bucket's own clock. Those of the loops differ: each leaves out the gaps in which its own thread did not run, and
  /// a loop whose clock is behind would never see the bucket fill.
  private let readNanoseconds: @Sendable () -> Int64
  /// Bytes that may leave at once after a pause: small enough that a second's average is the limit.
  private static let burst: UInt64 = 256 << 10
  /// A loop that waits for the limit asks again so much later than it could, at most.
  fileprivate static let lateness = Duration.milliseconds(4)
  /// A loop that goes after another asks again so soon. Where the limit lets a piece pass in less, loops do not wait for
  /// one another: it would cost more than the limit does.
  fileprivate static let pause = Duration.milliseconds(1)

  private static func rates(_ bytesPerSecond: UInt64?) -> PeerRates? {
    bytesPerSecond.map { PeerRates(bytesPerSecond: $0, burst: burst) }
  }

  /// Any rate: more than the bucket can count is no limit that a network reaches. Nil: no limit.
  /// - `perPeer`: for each address; nil: no limit.
  /// - `readNanoseconds`: a clock that never goes back.
  init(
    bytesPerSecond: UInt64?, perPeer: UInt64? = nil,
    readNanoseconds: @escaping @Sendable () -> Int64 = { Clock.monotonicNanoseconds }
  ) {
    state = Mutex(State(bytesPerSecond: bytesPerSecond, peers: UploadLimiter.rates(perPeer)))
    self.readNanoseconds = readNanoseconds
  }

  /// Changes the limits.
  func change(to bytesPerSecond: UInt64?, perPeer: UInt64?) {
    state.withLock {
      ($0.bytesPerSecond, $0.bucket, $0.peers) = (bytesPerSecond, nil, UploadLimiter.rates(perPeer))
    }
  }

  fileprivate static func bucket(_ bytesPerSecond: UInt64, at now: Instant) -> RateLimiter {
    RateLimiter(bytesPerSecond: min(max(bytesPerSecond, 1), RateLimiter.bytesPerSecondMax), burst: burst, at: now)
  }

  /// Whether bytes may leave now, by both limits.
  /// - `group`: the address group that gets the bytes. Among loops that wait, the group that got least goes first.
  /// - `ip`: the address that gets them.
  func pace(_ bytes: Int, to group: AddressGroup, at ip: [UInt8], on loop: Int) -> Pace {
    let now = Instant(nanoseconds: readNanoseconds())
    return state.withLock { state in
      if let delay = state.peers?.delay(of: bytes, to: ip, at: now), delay > .zero {
        state.shares.drop(claimOf: loop)
        return .hold(delay)
      }
      if let delay = state.delay(of: bytes, to: group, on: loop, at: now) { return .wait(delay) }
      state.shares.sent(bytes, to: group, at: now)
      state.peers?.sent(bytes, to: ip, at: now)
      return .send
    }
  }

  /// Takes the turn of a loop. A group to which all loops together sent much more than to another waits (`UploadTurns`).
  func next(of turns: inout UploadTurns) -> ConnectionToken? {
    if turns.isOfOneGroup { return turns.next { _ in 0 } }
    return state.withLock { state in turns.next(sent: state.shares.bytes(sentTo:)) }
  }
}

extension UploadLimiter.State {
  /// Nil: the limit lets the bytes pass. Else how long to wait.
  fileprivate mutating func delay(of bytes: Int, to group: AddressGroup, on loop: Int, at now: Instant) -> Duration? {
    guard let bytesPerSecond else { return nil }
    if bucket == nil { bucket = UploadLimiter.bucket(bytesPerSecond, at: now) }
    let delay = bucket!.delay(until: bytes, at: now)
    guard delay == .zero else {
      if delay > UploadLimiter.pause { shares.claim(for: group, by: loop, until: now + delay + UploadLimiter.lateness) }
      return delay
    }
    if shares.goesAfterAnother(loop, for: group, at: now) { return UploadLimiter.pause }
    shares.drop(claimOf: loop)
    _ = bucket!.take(upTo: bytes, at: now)
    return nil
  }
}
