// A bounded list of the node events that one reader has not read yet.

/// Events in order. When the list is full, the oldest events that peers caused are dropped first, since strangers
/// decide how many come. If the other events alone fill the list, the oldest of them are dropped: a folder can withdraw
/// a million files.
struct EventBacklog: ReaderBacklog {
  /// When the list is full, an eighth of it is dropped at once, so that a program that reads nothing costs little time.
  private static let lossDivisor = 8

  private let countMax: Int
  private var events: [NodeEvent] = []
  /// The index of the next event to read. Events before it have been read.
  private var taken = 0
  /// The number of events that were dropped unread.
  private(set) var lostCount = 0

  init() { self.init(countMax: NodeEvents.waitingMax) }

  /// - `countMax`: the most events that wait. Further ones drop older ones.
  init(countMax: Int) {
    precondition(countMax >= 1, "the newest event has a place")
    self.countMax = countMax
  }

  var count: Int { events.count - taken }

  mutating func put(_ event: NodeEvent) {
    if count >= countMax { makeRoom() }
    guard count < countMax || !event.isOfPeer else {
      lostCount += 1
      return
    }
    if count >= countMax { loseOldest() }
    events.append(event)
  }

  /// Returns the next event; nil if none waits.
  mutating func take() -> NodeEvent? {
    guard taken < events.count else { return nil }
    let event = events[taken]
    taken += 1
    if taken == events.count || taken >= 256 {
      events.removeFirst(taken)
      taken = 0
    }
    return event
  }

  private var surplus: Int { max(1, countMax / EventBacklog.lossDivisor) }

  /// Drops the oldest events that peers caused, if there are any.
  private mutating func makeRoom() {
    events.removeFirst(taken)
    taken = 0
    var rest = surplus
    events.removeAll { event in
      guard rest > 0, event.isOfPeer else { return false }
      rest -= 1
      lostCount += 1
      return true
    }
  }

  private mutating func loseOldest() {
    events.removeFirst(surplus)
    lostCount += surplus
  }
}

extension NodeEvent {
  /// Whether a peer, even a stranger, can cause such events as often as it likes.
  fileprivate var isOfPeer: Bool {
    switch self {
    case .connected, .disconnected, .turnedAway, .opened, .uploaded: true
    case .withdrawn, .cannotAccept, .notDiscoverable: false
    }
  }
}
