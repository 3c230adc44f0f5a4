// When a download asks its local network for peers, and which answers it believes. Events and times go in, actions come
// out. Does no I/O and reads no clock; random numbers come from the given generator.
import Content
import Wire

/// Looks for peers of one file while the download has too few. Each peer that it finds is a hint, which the handshake
/// checks.
public struct DiscoverySearch: Sendable {
  public enum Event: Sendable {
    /// A datagram came to a port of this node from this address of a local network.
    case datagram([UInt8], from: [UInt8], scope: UInt32)
    /// A node of the same user runs on the same machine. It announced itself; this is not verified.
    case localNode(PeerAddress, PeerID)
    /// How many live peers the download has, and how many it wants.
    case peers(live: Int, wanted: Int)
    case timerFired
  }

  public enum Action: Hashable, Sendable {
    /// Read which nodes run on this machine, and report each as `localNode`.
    case look
    /// Take a query from `nextQuery` and send it to every local network.
    case ask
    case found(PeerAddress, PeerID)
    /// The first phase is over. The peers that it found were reported before.
    case firstPhaseOver
  }

  /// The delays after the first queries; later ones are `discoveryIntervalMax`. A network answers within milliseconds:
  /// the first repeats are for lost datagrams and nodes that are starting, the others for nodes that come later.
  static let delays: [Duration] = [.milliseconds(250), .milliseconds(750), .seconds(3), .seconds(12)]
  /// The jitter of each delay, up or down, so that downloads that start together do not keep asking together.
  static let jitter = 0.2
  /// The time between two `look` actions. Each one reads a small folder.
  static let lookInterval = Duration.milliseconds(500)
  /// The time between two `look` actions once the download has a peer.
  static let lookIntervalWithPeers = Duration.seconds(5)
  /// How many queries may wait for answers at a time.
  public static let outstandingMax = 8
  /// The limits of found peers, in all and for one address: a host that knows the fileID can invent them.
  static let foundMax = 256
  static let foundPerAddressMax = 8
  /// A download that waits for peers may look for days. It forgets the found peers this often, so that the limits count
  /// only recent ones, and a peer is reported again.
  static let foundInterval = Duration.seconds(120)
  /// How many answers a second have their proof checked: every host on the network can send answers with the right
  /// nonce.
  static let checksPerSecondMax: UInt64 = 1_000

  private struct Hint: Hashable {
    let address: PeerAddress
    let peer: PeerID
  }

  private let key: FileKey
  private let own: PeerID
  private let asksNetwork: Bool
  private var generator: SeededGenerator
  private var checks: RateLimiter
  /// Queries since the start, or since the last peer was lost.
  private var round = 0
  private var live = 0
  private var wanted = 1
  private var askAt: Instant?
  private var lookAt: Instant?
  private var phaseEndsAt: Instant?
  private var outstanding: [(nonce: [UInt8], until: Instant)] = []
  private var found: Set<Hint> = []
  private var foundByIP: [[UInt8]: Int] = [:]
  /// When the found peers are forgotten; nil: never.
  private var forgetsAt: Instant?
  private var actions = ActionQueue<Action>()

  /// - `own`: the PeerID of this node, whose own answers are ignored.
  /// - `firstPhase`: how long the download waits for the search before it may give up.
  /// - `asksNetwork`: whether the local networks are asked; if not, only nodes of this machine are found.
  /// - `asksAfter`: the delay before the network is asked, so that named peers come first.
  /// - `isPatient`: whether the download waits for peers.
  /// - `generator`: for jitter.
  public init(
    key: FileKey, own: PeerID, asksNetwork: Bool, asksAfter: Duration = .zero, firstPhase: Duration,
    isPatient: Bool = false, generator: SeededGenerator, at now: Instant
  ) {
    self.key = key
    self.own = own
    self.asksNetwork = asksNetwork
    self.generator = generator
    checks = RateLimiter(
      bytesPerSecond: DiscoverySearch.checksPerSecondMax, burst: DiscoverySearch.checksPerSecondMax, at: now)
    (askAt, lookAt) = (asksNetwork ? now + asksAfter : nil, now)
    phaseEndsAt = now + firstPhase
    forgetsAt = isPatient ? now + DiscoverySearch.foundInterval : nil
  }

  /// When to hand in `.timerFired`; nil if no timer runs.
  public var deadline: Instant? { [askAt, lookAt, phaseEndsAt].compactMap { $0 }.min() }

  public mutating func nextAction() -> Action? { actions.takeFirst() }

  public mutating func handle(_ event: Event, at now: Instant) {
    switch event {
    case .datagram(let bytes, let ip, let scope): received(bytes, from: ip, scope: scope, at: now)
    case .localNode(let address, let peer): take(Hint(address: address, peer: peer))
    case .peers(let live, let wanted): changed(live: live, wanted: wanted, at: now)
    case .timerFired: timerFired(at: now)
    }
  }

  /// Makes the query of a round.
  /// - `nonce`: 16 random bytes that were never used before.
  public mutating func nextQuery(nonce: [UInt8], at now: Instant) -> DiscoveryQuery {
    outstanding.removeAll { $0.until <= now }
    if outstanding.count == DiscoverySearch.outstandingMax { outstanding.removeFirst() }
    outstanding.append((nonce, now + ProtocolLimits.discoveryAnswerTime))
    return DiscoveryQuery(nonce: nonce, key: key)
  }

  private var wantsMore: Bool { live < wanted }

  private mutating func timerFired(at now: Instant) {
    if let due = forgetsAt, now >= due {
      forgetsAt = now + DiscoverySearch.foundInterval
      (found, foundByIP) = ([], [:])
    }
    // The phase never ends in the same call as a look, so that the nodes that the look finds are reported before.
    var isLooking = false
    if let due = lookAt, now >= due {
      lookAt = now + (live > 0 ? DiscoverySearch.lookIntervalWithPeers : DiscoverySearch.lookInterval)
      actions.append(.look)
      isLooking = true
    }
    if let due = askAt, now >= due {
      let delay =
        round < DiscoverySearch.delays.count ? DiscoverySearch.delays[round] : ProtocolLimits.discoveryIntervalMax
      round += 1
      let spread = DiscoverySearch.jitter
      askAt = now + delay * Double.random(in: 1 - spread...1 + spread, using: &generator)
      actions.append(.ask)
    }
    if let due = phaseEndsAt, now >= due, !isLooking {
      phaseEndsAt = nil
      actions.append(.firstPhaseOver)
    }
  }

  private mutating func changed(live: Int, wanted: Int, at now: Instant) {
    let wantedMore = wantsMore
    let hadPeers = self.live > 0
    (self.live, self.wanted) = (live, wanted)
    guard wantsMore else {
      (askAt, lookAt) = (nil, nil)
      return
    }
    if live == 0, hadPeers {
      round = 0
      (askAt, lookAt) = (asksNetwork ? now : nil, now)
    } else if !wantedMore {
      // A download that goes back and forth between enough and too few peers does not ask each time.
      lookAt = now + DiscoverySearch.lookIntervalWithPeers
      round = DiscoverySearch.delays.count
      if asksNetwork { askAt = now + ProtocolLimits.discoveryIntervalMax }
    }
  }

  private mutating func received(_ bytes: [UInt8], from ip: [UInt8], scope: UInt32, at now: Instant) {
    guard let answer = DiscoveryAnswer(decoding: bytes),
      outstanding.contains(where: { $0.nonce == answer.nonce && now < $0.until }),
      checks.take(upTo: 1, at: now) == 1, answer.isProven(by: key)
    else { return }
    take(Hint(address: PeerAddress(ip: ip, port: answer.port, scope: scope), peer: answer.peer))
  }

  private mutating func take(_ hint: Hint) {
    guard hint.peer != own, found.count < DiscoverySearch.foundMax,
      foundByIP[hint.address.ip, default: 0] < DiscoverySearch.foundPerAddressMax, found.insert(hint).inserted
    else { return }
    foundByIP[hint.address.ip, default: 0] += 1
    actions.append(.found(hint.address, hint.peer))
  }
}
