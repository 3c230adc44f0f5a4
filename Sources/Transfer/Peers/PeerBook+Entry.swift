// What a download knows about one address.
import Wire

extension PeerBook {
  enum State: Sendable { case idle, underWay, connected, banned }

  struct Entry: Sendable {
    var pinned: PeerID?
    /// The peer that sent the hint; nil if the user or a discovery named the address.
    var source: Source?
    var peer: PeerID?
    var state = State.idle
    var outcome = AddressOutcome.pending
    var failures = 0
    var withdrawals = 0
    /// Whether the next dial happens only because the download is patient.
    var isExtraTry = false
    var isInitial: Bool
    /// Whether the user did not name the address. Then the next source that names it sets its PeerID.
    var isHint: Bool
    /// Another PeerID for the address. It is tried when the current dial or connection has ended.
    var nextPin: Pin?
    /// The PeerID that the user named for the address.
    var namedPin: PeerID?
    /// Another peer that a discovery found at an address that the user named. It is dialled after another peer than the
    /// named one answered there.
    var foundPeer: PeerID?
    var isFoundPeerTried = false

    /// Pins the PeerID that was named last. False if no other one was named.
    mutating func turnToNextPin() -> Bool {
      guard let pin = nextPin.take() else { return false }
      (pinned, outcome) = (pin.peer, .pending)
      return true
    }

    /// Notes a peer that a discovery found at the address. False if the user named no PeerID or this one, or if the
    /// peer is already noted.
    mutating func find(_ peer: PeerID) -> Bool {
      guard namedPin != nil, peer != namedPin, peer != foundPeer else { return false }
      (foundPeer, isFoundPeerTried) = (peer, false)
      return true
    }

    /// Alternates between the named peer and the found one, after a peer other than the pinned one answered. True if
    /// the found peer was not tried yet.
    mutating func turnAfterWrongPeer() -> Bool {
      guard outcome == .dialFailed(.wrongPeer), let foundPeer else { return false }
      if isFoundPeerTried, pinned == foundPeer { pinned = namedPin } else { pinned = foundPeer }
      defer { isFoundPeerTried = true }
      if !isFoundPeerTried { outcome = .pending }
      return !isFoundPeerTried
    }

    /// Notes that a dial failed, or that a connection ended.
    mutating func settle(_ outcome: AddressOutcome) { (self.outcome, state) = (outcome, .idle) }

    /// Counts a failure. Returns how many there were before.
    mutating func fail() -> Int {
      failures += 1
      return failures - 1
    }
  }

  /// Notes a peer that a discovery found at an address that the user named. If the user named another PeerID, and that
  /// peer is not there, the found peer is dialled. The discovery proved that the found peer knows the file.
  mutating func found(_ peer: PeerID, at address: PeerAddress, _ now: Instant) {
    guard entries[existing: address].find(peer) else { return }
    if entries[address]?.state == .idle { dialFoundPeer(address, at: now) }
  }

  /// Sets a dial of the found peer. False if there is none, or it was dialled already.
  @discardableResult mutating func dialFoundPeer(_ address: PeerAddress, at now: Instant) -> Bool {
    let isUntried = entries[existing: address].turnAfterWrongPeer()
    if isUntried { setDue(address, at: now) }
    return isUntried
  }

  /// Sets a dial of an idle address with the PeerID that was named last. False if that PeerID did not change.
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
