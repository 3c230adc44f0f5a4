// The updates of a download that its program has not read yet, as a bounded list.

/// Updates in order. When the program falls behind, the newest progress takes the place of one that waits, and the oldest
/// reports of chunks and peers are lost: a file or strangers decide how many come. No other update is lost.
struct UpdateBacklog {
  /// Updates lost at a time at least, so that a program that reads nothing costs little: an eighth.
  private static let lossDivisor = 8

  private let countMax: Int
  private var updates: [DownloadUpdate] = []
  /// Updates before this one are gone.
  private var taken = 0
  /// Reports of chunks and peers that were lost.
  private(set) var lostCount = 0

  /// - `countMax`: above it, updates are lost.
  init(countMax: Int) {
    precondition(countMax >= 1, "the newest update has a place")
    self.countMax = countMax
  }

  var count: Int { updates.count - taken }

  mutating func put(_ update: DownloadUpdate) {
    if count >= countMax { makeRoom(for: update) }
    updates.append(update)
  }

  /// The next update; nil if none waits.
  mutating func take() -> DownloadUpdate? {
    guard taken < updates.count else { return nil }
    let update = updates[taken]
    taken += 1
    if taken == updates.count || taken >= 1024 {
      updates.removeFirst(taken)
      taken = 0
    }
    return update
  }

  private mutating func makeRoom(for new: DownloadUpdate) {
    updates.removeFirst(taken)
    taken = 0
    // Newest first: of several waiting, only the last progress says anything.
    var hasNewer = new.isProgress
    for i in updates.indices.reversed() where updates[i].isProgress {
      if hasNewer { updates.remove(at: i) }
      hasNewer = true
    }
    guard updates.count >= countMax else { return }
    var surplus = max(1, countMax / UpdateBacklog.lossDivisor)
    updates.removeAll { update in
      guard surplus > 0, update.mayBeLost else { return false }
      surplus -= 1
      lostCount += 1
      return true
    }
  }
}

extension DownloadUpdate {
  fileprivate var isProgress: Bool { if case .progress = self { true } else { false } }

  fileprivate var mayBeLost: Bool {
    switch self {
    case .report(.started), .report(.usingWorkers): false
    case .report, .peerEnded: true
    case .listing, .planned, .prepared, .progress, .unresolved, .resolved, .searched, .found, .resumed, .listening,
      .staying,
      .unreadable:
      false
    }
  }
}
