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

    /// The PeerID that was named last is the pinned one from now on. False if no other one was named.
    mutating func turnToNextPin() -> Bool {
      guard let pin = nextPin.take() else { return false }
      (pinned, outcome) = (pin.peer, .pending)
      return true
    }

    /// A dial failed, or a connection ended.
    mutating func settle(_ outcome: AddressOutcome) { (self.outcome, state) = (outcome, .idle) }

    /// Counts a failure. Returns how many there were before.
    mutating func fail() -> Int {
      failures += 1
      return failures - 1
    }
  }

  /// Which peer must answer at an address.
  enum Pin: Sendable {
    case any
    case only(PeerID)

    /// Nil: any peer.
    var peer: PeerID? { if case .only(let peer) = self { peer } else { nil } }
  }
}
