// A bounded list of the updates of a download that its program has not read yet.

/// The queue of a download's updates.
typealias UpdateQueue = ReaderQueue<UpdateBacklog>

/// Updates in order. When the list is full, only the newest progress is kept, complete files of a folder are merged
/// into one update, and the oldest reports of chunks and peers are dropped, since the length of a file and strangers
/// decide how many come. No other update is dropped.
struct UpdateBacklog: ReaderBacklog {
  /// When the list is full, an eighth of it is dropped at once, so that a program that reads nothing costs little time.
  private static let lossDivisor = 8

  private let countMax: Int
  private var updates: [DownloadUpdate] = []
  /// The index of the next update to read. Updates before it have been read.
  private var taken = 0
  /// The number of reports of chunks and peers that were dropped unread.
  private(set) var lostCount = 0

  init() { self.init(countMax: Download.updatesWaitingMax) }

  /// - `countMax`: the number of waiting updates from which on reports are dropped.
  init(countMax: Int) {
    precondition(countMax >= 1, "the newest update has a place")
    self.countMax = countMax
  }

  var count: Int { updates.count - taken }

  mutating func put(_ update: DownloadUpdate) {
    if case .files(let files) = update, join(files) { return }
    if count >= countMax { makeRoom(for: update) }
    updates.append(update)
  }

  /// Adds files to the last waiting update if that is an update of files. Returns whether it did.
  private mutating func join(_ files: CompletedFiles) -> Bool {
    guard taken < updates.count, case .files(var waiting) = updates[updates.count - 1] else { return false }
    // Removed first, so that the waiting files have one owner and are not copied.
    updates.removeLast()
    waiting.add(files)
    updates.append(.files(waiting))
    return true
  }

  /// Merges all waiting updates of files into one, in the place of the last.
  private mutating func joinFiles() {
    guard let last = updates.lastIndex(where: \.isFiles) else { return }
    var all: CompletedFiles?
    for update in updates {
      guard case .files(let files) = update else { continue }
      if all == nil { all = files } else { all?.add(files) }
    }
    guard let all else { return }
    updates[last] = .files(all)
    updates = updates.enumerated().filter { !$1.isFiles || $0 == last }.map(\.element)
  }

  /// Returns the next update; nil if none waits.
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

  /// Keeps only the newest of the updates of one kind.
  private mutating func dropOlder(than new: DownloadUpdate, where isOne: (DownloadUpdate) -> Bool) {
    var hasNewer = isOne(new)
    for i in updates.indices.reversed() where isOne(updates[i]) {
      if hasNewer { updates.remove(at: i) }
      hasNewer = true
    }
  }

  private mutating func makeRoom(for new: DownloadUpdate) {
    updates.removeFirst(taken)
    taken = 0
    dropOlder(than: new, where: \.isProgress)
    dropOlder(than: new, where: \.isWait)
    joinFiles()
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
  fileprivate var isFiles: Bool { if case .files = self { true } else { false } }

  fileprivate var isWait: Bool { if case .waiting = self { true } else { false } }

  fileprivate var isProgress: Bool { if case .progress = self { true } else { false } }

  fileprivate var mayBeLost: Bool {
    switch self {
    case .report(.started), .report(.usingWorkers): false
    case .report, .peerEnded: true
    case .listing, .planned, .prepared, .files, .progress, .waiting, .unresolved, .resolved, .searched, .found,
      .resumed,
      .listening,
      .staying,
      .unreadable:
      false
    }
  }
}
