// The upload limits, and the count of bytes that each address got. All loops of a node share both.
import Posix
import Synchronization
import Transfer

/// The upload limits of a node, in all and per address. Any thread may call it.
final class UploadLimiter: Sendable {
  fileprivate struct State: Sendable {
    var bytesPerSecond: UInt64?
    var bucket: RateLimiter?
    var shares = UploadShares()
    /// The limit of each address. Nil: one peer may use the whole upload.
    var peers: PeerRates?
  }

  /// What a loop does with its next piece.
  enum Pace: Hashable, Sendable {
    /// The piece leaves now, and is counted.
    case send
    /// No piece of the loop leaves for this long.
    case wait(Duration)
    /// The piece waits this long because of its peer's limit. Other pieces may leave.
    case hold(Duration)
  }

  private let state: Mutex<State>
  /// The bucket's own clock. The loops' clocks differ: each leaves out the gaps in which its own thread did not run,
  /// and a loop whose clock is behind would never see the bucket fill.
  private let readNanoseconds: @Sendable () -> Int64
  /// Bytes that may leave at once after a pause: few enough that the average of a second is the limit.
  private static let burst: UInt64 = 256 << 10
  /// The most time by which a loop that waits for the limit may be late when it asks again.
  fileprivate static let lateness = Duration.milliseconds(4)
  /// How soon a loop that lets another go first asks again. If the limit lets a piece pass in less time, loops do not
  /// wait for one another: that would cost more than the limit does.
  fileprivate static let pause = Duration.milliseconds(1)

  private static func rates(_ bytesPerSecond: UInt64?) -> PeerRates? {
    bytesPerSecond.map { PeerRates(bytesPerSecond: $0, burst: burst) }
  }

  /// - `bytesPerSecond`: any rate; one above the bucket's range counts as the largest, which no network reaches. Nil:
  ///   no limit.
  /// - `perPeer`: the limit of each address; nil: no limit.
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

  /// Decides by both limits whether bytes may leave now, and counts them if so.
  /// - `group`: the address group that gets the bytes. Among waiting loops, the one whose group got least goes first.
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

  /// Returns the loop's connection whose turn it is. An address group that got much more than another from all loops
  /// together waits (`UploadTurns`).
  func next(of turns: inout UploadTurns) -> ConnectionToken? {
    if turns.isOfOneGroup { return turns.next { _ in 0 } }
    return state.withLock { state in turns.next(sent: state.shares.bytes(sentTo:)) }
  }
}

extension UploadLimiter.State {
  /// Returns how long to wait; nil if the limit lets the bytes pass.
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
