// Which questions of a local network a node answers: the asker must know the file, and be within the limits.
import Content
import Wire

/// The limits of section 15 of the protocol, counted. Only questions that are proven count, so that nobody who cannot
/// ask uses up the answers of those who can.
public struct DiscoveryAnswers: Sendable {
  /// Queries whose proof is looked at, a second: a flood costs no more than this.
  static let checksPerSecondMax = 2_000
  /// Addresses whose answers are counted; with more askers within a second, the rest waits for its next round.
  static let addressesMax = 1_024

  private let peer: PeerID
  private let port: UInt16
  private var checks: RateLimiter
  private var all: RateLimiter
  private var byIP: [[UInt8]: RateLimiter] = [:]
  private var answered: Set<[UInt8]> = []
  /// The same, the oldest at `nextNonce` once it is full.
  private var nonces: [[UInt8]] = []
  private var nextNonce = 0

  /// For a node that listens on this port as this peer.
  public init(peer: PeerID, port: UInt16, at now: Instant) {
    self.peer = peer
    self.port = port
    checks = DiscoveryAnswers.limiter(DiscoveryAnswers.checksPerSecondMax, at: now)
    all = DiscoveryAnswers.limiter(ProtocolLimits.discoveryAnswersPerSecondMax, at: now)
  }

  /// The answer to a datagram that came from an address of a local network; nil: silence. `keys`: those of the files
  /// with this bucket.
  public mutating func answer(
    to bytes: [UInt8], from ip: [UInt8], at now: Instant, keys: (_ bucket: UInt16) -> [FileKey]
  ) -> [UInt8]? {
    guard let query = DiscoveryQuery(decoding: bytes), !answered.contains(query.nonce),
      checks.take(upTo: 1, at: now) == 1, let key = keys(query.bucket).first(where: query.isProven),
      admits(ip, at: now)
    else { return nil }
    remember(query.nonce)
    return DiscoveryAnswer(to: query, key: key, port: port, peer: peer).encode()
  }

  private mutating func admits(_ ip: [UInt8], at now: Instant) -> Bool {
    if byIP[ip] == nil {
      if byIP.count >= DiscoveryAnswers.addressesMax {
        // Who has all of its answers again need not be remembered.
        byIP = byIP.filter { _, limiter in
          var limiter = limiter
          return limiter.delay(until: ProtocolLimits.discoveryAnswersPerAddressMax, at: now) > .zero
        }
      }
      guard byIP.count < DiscoveryAnswers.addressesMax else { return false }
      byIP[ip] = DiscoveryAnswers.limiter(ProtocolLimits.discoveryAnswersPerAddressMax, at: now)
    }
    return byIP[ip]!.take(upTo: 1, at: now) == 1 && all.take(upTo: 1, at: now) == 1
  }

  private mutating func remember(_ nonce: [UInt8]) {
    answered.insert(nonce)
    if nonces.count < ProtocolLimits.discoveryNoncesMin { return nonces.append(nonce) }
    answered.remove(nonces[nextNonce])
    nonces[nextNonce] = nonce
    nextNonce = (nextNonce + 1) % ProtocolLimits.discoveryNoncesMin
  }

  private static func limiter(_ perSecond: Int, at now: Instant) -> RateLimiter {
    RateLimiter(bytesPerSecond: UInt64(perSecond), burst: UInt64(perSecond), at: now)
  }
}
