// What a download knows of one address.
import Wire

extension PeerBook {
  enum State: Sendable { case idle, underWay, connected, banned }

  struct Entry: Sendable {
    var pinned: PeerID?
    /// The peer that sent the hint; nil: the user, or a discovery that proves what it says.
    var source: Source?
    var peer: PeerID?
    var state = State.idle
    var outcome = AddressOutcome.pending
    var failures = 0
    var withdrawals = 0
    /// Only patience has the address dialled again.
    var isExtraTry = false
    var isInitial: Bool
    /// The user did not name the address: the next source that names it sets its PeerID.
    var isHint: Bool
    /// Another PeerID for the address. It is tried when the current dial or connection has ended.
    var nextPin: Pin?
    /// The PeerID that the user named for the address.
    var namedPin: PeerID?
    /// Another peer that a discovery found at an address that the user named. It is dialled after the named one turned
    /// out not to be there.
    var foundPeer: PeerID?
    var isFoundPeerTried = false

    /// The PeerID that was named last is the pinned one from now on. False if no other one was named.
    mutating func turnToNextPin() -> Bool {
      guard let pin = nextPin.take() else { return false }
      (pinned, outcome) = (pin.peer, .pending)
      return true
    }

    /// A discovery found a peer at the address. False if the user wants any peer or this one there, or it is known.
    mutating func find(_ peer: PeerID) -> Bool {
      guard namedPin != nil, peer != namedPin, peer != foundPeer else { return false }
      (foundPeer, isFoundPeerTried) = (peer, false)
      return true
    }

    /// After another peer answered than the pinned one: the named peer and the one that was found take turns. True if the
    /// one that was found was not tried yet.
    mutating func turnAfterWrongPeer() -> Bool {
      guard outcome == .dialFailed(.wrongPeer), let foundPeer else { return false }
      if isFoundPeerTried, pinned == foundPeer { pinned = namedPin } else { pinned = foundPeer }
      defer { isFoundPeerTried = true }
      if !isFoundPeerTried { outcome = .pending }
      return !isFoundPeerTried
    }

    /// A dial failed, or a connection ended.
    mutating func settle(_ outcome: AddressOutcome) { (self.outcome, state) = (outcome, .idle) }

    /// Counts a failure. Returns how many there were before.
    mutating func fail() -> Int {
      failures += 1
      return failures - 1
    }
  }

  /// A discovery found a peer at an address that the user named. If the user named another peer, which is not there, then
  /// the one that was found is dialled: it has proved that it knows the file, at any address.
  mutating func found(_ peer: PeerID, at address: PeerAddress, _ now: Instant) {
    guard entries[existing: address].find(peer) else { return }
    if entries[address]?.state == .idle { dialFoundPeer(address, at: now) }
  }

  /// False if no peer was found there that was not dialled yet.
  @discardableResult mutating func dialFoundPeer(_ address: PeerAddress, at now: Instant) -> Bool {
    let isUntried = entries[existing: address].turnAfterWrongPeer()
    if isUntried { setDue(address, at: now) }
    return isUntried
  }

  /// Dials an idle address with the PeerID that was named last. False if that is the same PeerID.
  @discardableResult mutating func dialNextPin(_ address: PeerAddress, at now: Instant) -> Bool {
    let isOther = entries[existing: address].turnToNextPin()
    if isOther { setDue(address, at: now) }
    return isOther
  }

  /// Which peer must answer at an address.
  enum Pin: Sendable {
    case any
    case only(PeerID)

    /// Nil: any peer.
    var peer: PeerID? { if case .only(let peer) = self { peer } else { nil } }
  }
}
