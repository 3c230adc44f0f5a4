// What a node sent to each address lately: all threads that send choose by the same numbers.

/// The bytes that a node sent to each address group within the last `window` to two windows. A host that is on every
/// thread of the node so gets no more than a host that is on one. Holds only groups that got bytes in this time, so its
/// size follows from what was sent.
public struct UploadShares: Sendable {
  /// Long enough that a slow connection gets several pieces. Short enough that a host that was alone until now waits
  /// for newcomers much less than the timeout of a chunk.
  static let window = Duration.seconds(4)

  private var now: [AddressGroup: Int] = [:]
  private var before: [AddressGroup: Int] = [:]
  private var endsAt = Instant.zero

  /// The next piece of a thread that waits for the upload limit.
  private struct Claim: Sendable {
    let group: AddressGroup
    let endsAt: Instant
  }

  /// By the thread's number.
  private var claims: [Int: Claim] = [:]

  public init() {}

  /// The node sends bytes to a group.
  public mutating func sent(_ bytes: Int, to group: AddressGroup, at time: Instant) {
    if time >= endsAt {
      before = time - endsAt < UploadShares.window ? now : [:]
      now = [:]
      endsAt = time + UploadShares.window
    }
    now[group, default: 0] += bytes
  }

  /// Bytes that the node sent to a group lately.
  public func bytes(sentTo group: AddressGroup) -> Int { (now[group] ?? 0) + (before[group] ?? 0) }

  // MARK: The upload limit

  /// A thread waits for the upload limit with a piece for a group. It asks again before `endsAt`, or has no claim.
  public mutating func claim(for group: AddressGroup, by thread: Int, until endsAt: Instant) {
    claims[thread] = Claim(group: group, endsAt: endsAt)
  }

  /// A thread's piece leaves.
  public mutating func drop(claimOf thread: Int) { claims[thread] = nil }

  /// Whether another thread waits for the upload limit with a piece for a group that was sent less.
  public func goesAfterAnother(_ thread: Int, for group: AddressGroup, at time: Instant) -> Bool {
    guard !claims.isEmpty else { return false }
    let mine = bytes(sentTo: group)
    return claims.contains { $0.key != thread && time < $0.value.endsAt && bytes(sentTo: $0.value.group) < mine }
  }
}
