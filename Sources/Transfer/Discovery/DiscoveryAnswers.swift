// Which queries from a local network a node answers: the sender must prove that it knows the fileID, and stay within
// the limits.
import Content
import Wire

/// Counts the limits of `Protocol/discovery.md`. Only proven queries count against the answers, so that strangers
/// without the fileID cannot use them up. All addresses share both budgets.
public struct DiscoveryAnswers: Sendable {
  /// How many queries a second have their proof checked, which bounds the cost of a flood.
  static let checksPerSecondMax = 2_000
  /// The part of these for one address: enough for a machine with many downloads on several networks.
  static let checksPerAddressMax = 64

  private let peer: PeerID
  private let port: UInt16
  private var checks: SharedBudget
  private var budget: SharedBudget
  private var answered: Set<[UInt8]> = []
  /// The nonces in `answered`, a ring whose oldest entry is at `nextNonce` once it is full.
  private var nonces: [[UInt8]] = []
  private var nextNonce = 0

  /// Makes the answers of a node that listens on this port as this peer.
  public init(peer: PeerID, port: UInt16, at now: Instant) {
    self.peer = peer
    self.port = port
    checks = SharedBudget(
      perSecondMax: DiscoveryAnswers.checksPerSecondMax, perAddressMax: DiscoveryAnswers.checksPerAddressMax, at: now)
    budget = SharedBudget(
      perSecondMax: ProtocolLimits.discoveryAnswersPerSecondMax,
      perAddressMax: ProtocolLimits.discoveryAnswersPerAddressMax, at: now)
  }

  /// Returns the answer to a datagram from an address of a local network; nil if the node stays silent. `keys`: returns
  /// the keys of the files with this bucket.
  public mutating func answer(
    to bytes: [UInt8], from ip: [UInt8], at now: Instant, keys: (_ bucket: UInt16) -> [FileKey]
  ) -> [UInt8]? {
    guard let query = DiscoveryQuery(decoding: bytes), !answered.contains(query.nonce),
      checks.take(ip, at: now), let key = keys(query.bucket).first(where: query.isProven),
      budget.take(ip, at: now)
    else { return nil }
    remember(query.nonce)
    return DiscoveryAnswer(to: query, key: key, port: port, peer: peer).encode()
  }

  private mutating func remember(_ nonce: [UInt8]) {
    answered.insert(nonce)
    if nonces.count < ProtocolLimits.discoveryNoncesMin { return nonces.append(nonce) }
    answered.remove(nonces[nextNonce])
    nonces[nextNonce] = nonce
    nextNonce = (nextNonce + 1) % ProtocolLimits.discoveryNoncesMin
  }
}
