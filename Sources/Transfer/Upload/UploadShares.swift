// The bytes that a node sent to each address lately. All sending threads choose by the same counts.

/// The bytes that a node sent to each address group within the last `window` to two windows. So a host that is
/// connected to every thread of the node gets no more than a host that is connected to one. Only groups that got bytes
/// in this time are kept, so their number is bounded by what was sent.
public struct UploadShares: Sendable {
  /// Long enough for a slow connection to get several pieces. Short enough that a host which was alone until now lets
  /// newcomers go first for much less time than the timeout of a chunk.
  static let window = Duration.seconds(4)

  private var now: [AddressGroup: Int] = [:]
  private var before: [AddressGroup: Int] = [:]
  private var endsAt = Instant.zero

  /// The next piece of a thread that waits for the upload limit.
  private struct Claim: Sendable {
    let group: AddressGroup
    let endsAt: Instant
  }

  /// The claims, by the thread's number.
  private var claims: [Int: Claim] = [:]

  public init() {}

  /// Counts bytes that the node sends to a group.
  public mutating func sent(_ bytes: Int, to group: AddressGroup, at time: Instant) {
    if time >= endsAt {
      before = time - endsAt < UploadShares.window ? now : [:]
      now = [:]
      endsAt = time + UploadShares.window
    }
    now[group, default: 0] += bytes
  }

  /// Returns the bytes that the node sent to a group lately.
  public func bytes(sentTo group: AddressGroup) -> Int { (now[group] ?? 0) + (before[group] ?? 0) }

  // MARK: The upload limit

  /// Notes that a thread waits for the upload limit with a piece for a group. The thread asks again before `endsAt`, or
  /// loses its claim.
  public mutating func claim(for group: AddressGroup, by thread: Int, until endsAt: Instant) {
    claims[thread] = Claim(group: group, endsAt: endsAt)
  }

  /// Drops the claim of a thread whose piece leaves.
  public mutating func drop(claimOf thread: Int) { claims[thread] = nil }

  /// Returns whether another thread waits for the upload limit with a piece for a group that was sent less.
  public func goesAfterAnother(_ thread: Int, for group: AddressGroup, at time: Instant) -> Bool {
    guard !claims.isEmpty else { return false }
    let mine = bytes(sentTo: group)
    return claims.contains { $0.key != thread && time < $0.value.endsAt && bytes(sentTo: $0.value.group) < mine }
  }
}
