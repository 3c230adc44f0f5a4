// How long a download waits for peers that can give what it lacks.
import Content

/// What a download does when its peers or its retries are used up.
public enum PeerPatience: Hashable, Sendable {
  /// It ends.
  case none
  /// It goes on looking and dialling, and ends when this long has passed without a new leaf.
  case upTo(Duration)
  /// It goes on looking and dialling until it has all, or is cancelled.
  case forever
}

/// A download that waits for peers: it would have ended without its patience.
public struct PeerWait: Hashable, Sendable {
  /// What the download waits for.
  public enum State: Hashable, Sendable {
    /// A peer that has the content: none was found since the start.
    case anyPeer
    /// A peer that has what is missing: those that had it are gone.
    case peerWithRest
    /// A peer that gives what is missing: those that are connected have given nothing for long.
    case progress
    /// A peer that gives this chunk: it is out of retries.
    case chunk(ChunkIndex)
    /// A peer that gives this page of chunk hashes: it is out of retries.
    case page(PageIndex)
  }

  /// The next dial.
  public struct Dial: Hashable, Sendable {
    public let address: PeerAddress
    /// Zero if it is under way.
    public let delay: Duration
  }

  public let state: State
  /// Since the last new leaf, or since the start.
  public let waited: Duration
  /// After this long the download ends; nil: never.
  public let limit: Duration?
  /// Nil: no address is known.
  public let nextDial: Dial?

  init(_ state: State, _ waiting: PeerWaiting, nextDial: Dial?, at now: Instant) {
    self.state = state
    waited = now - waiting.since
    if case .upTo(let time) = waiting.patience { limit = time } else { limit = nil }
    self.nextDial = nextDial
  }
}

/// Since when a download has no new leaf, and why it would have ended.
struct PeerWaiting: Sendable {
  let patience: PeerPatience
  /// When the download began, or had a new leaf.
  private(set) var since: Instant
  /// No address is left that was not tried.
  var lacksAddresses = false
  /// No usable peer was connected for one timeout.
  var lacksPeers = false
  /// Connected peers gave no leaf for as long as they may.
  var lacksProgress = false
  /// The wait that the download has ended with.
  var ended: PeerWait?

  init(_ patience: PeerPatience, at now: Instant) { (self.patience, since) = (patience, now) }

  /// Whether the download has any patience.
  var isOn: Bool { patience != .none }

  /// When the patience is over; nil: never.
  var due: Instant? {
    switch patience {
    case .none: since
    case .upTo(let time): since + time
    case .forever: nil
    }
  }

  /// Whether a download that would end goes on.
  func goesOn(at now: Instant) -> Bool { isOn && due.map { now < $0 } ?? true }

  /// A new leaf was verified, or nothing could be expected until now.
  mutating func progressed(at now: Instant) { (since, lacksProgress) = (now, false) }
}
