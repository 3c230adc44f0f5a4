// How long a download waits for peers that can send what it lacks.
import Content

/// What a download does when it has no more peers or retries.
public enum PeerPatience: Hashable, Sendable {
  /// It ends.
  case none
  /// It keeps looking for peers and dialling, and ends after this long without a new leaf.
  case upTo(Duration)
  /// It keeps looking for peers and dialling until it is complete or cancelled.
  case forever
}

/// The wait of a download that would have ended without its patience.
public struct PeerWait: Hashable, Sendable {
  /// What the download waits for.
  public enum State: Hashable, Sendable {
    /// A peer that has the content. None was found since the start.
    case anyPeer
    /// A peer that has missing chunks. The peers that had them left.
    case peerWithRest
    /// A peer that sends missing chunks. The connected peers have sent nothing for a long time.
    case progress
    /// A peer that sends this chunk, which is out of retries.
    case chunk(ChunkIndex)
    /// A peer that sends this page of chunk hashes, which is out of retries.
    case page(PageIndex)
  }

  /// The next dial.
  public struct Dial: Hashable, Sendable {
    public let address: PeerAddress
    /// The time until the dial; zero if it is under way.
    public let delay: Duration
  }

  public let state: State
  /// The time since the last new leaf, or since the start.
  public let waited: Duration
  /// After this time the download ends; nil: never.
  public let limit: Duration?
  /// The next dial; nil if no dial is planned.
  public let nextDial: Dial?

  init(_ state: State, _ waiting: PeerWaiting, nextDial: Dial?, at now: Instant) {
    self.state = state
    waited = now - waiting.since
    if case .upTo(let time) = waiting.patience { limit = time } else { limit = nil }
    self.nextDial = nextDial
  }
}

/// Since when a download has had no new leaf, and why it would have ended.
struct PeerWaiting: Sendable {
  let patience: PeerPatience
  /// When the download began, or last had a new leaf.
  private(set) var since: Instant
  /// Whether no untried address is left.
  var lacksAddresses = false
  /// Whether no usable peer was connected for one timeout.
  var lacksPeers = false
  /// Whether connected peers sent no leaf for the longest time that they may.
  var lacksProgress = false
  /// The wait with which the download ended.
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

  /// Returns whether a download that would end goes on.
  func goesOn(at now: Instant) -> Bool { isOn && due.map { now < $0 } ?? true }

  /// Starts the wait anew: a new leaf was verified, or none could be expected until now.
  mutating func progressed(at now: Instant) { (since, lacksProgress) = (now, false) }
}
