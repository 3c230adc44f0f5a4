// The events of a node that one reader has not read yet, as a bounded list.

/// Events in order. If there are too many, the oldest that peers caused are lost, since strangers decide how many come. If
/// all others alone are too many, the oldest of them are lost: a folder can withdraw a million files.
struct EventBacklog: ReaderBacklog {
  /// Events lost at a time at least, so that a program that reads nothing costs little: an eighth.
  private static let lossDivisor = 8

  private let countMax: Int
  private var events: [NodeEvent] = []
  /// Events before this one are gone.
  private var taken = 0
  /// Events that were lost.
  private(set) var lostCount = 0

  init() { self.init(countMax: NodeEvents.waitingMax) }

  /// - `countMax`: above it, events are lost.
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

  /// The next event; nil if none waits.
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

  /// The oldest events that peers caused are lost, if there are any.
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
  /// Whether a peer, or a stranger, causes such events as often as it likes.
  fileprivate var isOfPeer: Bool {
    switch self {
    case .connected, .disconnected, .turnedAway, .opened, .uploaded: true
    case .withdrawn, .cannotAccept, .notDiscoverable: false
    }
  }
}
