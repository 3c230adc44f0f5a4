// Decides which folders get a new listing, and when. It is seldom enough that a busy folder costs little and peers can
// follow.

/// The folders whose listing is out of date. The caller gives the time in nanoseconds.
struct ListingPlan {
  /// The least time between two listings of one folder. A peer that fetches one of the last four has 40 s to open its
  /// contents.
  static let intervalNanoseconds: Int64 = 10_000_000_000
  /// Listing a folder takes at most one part in this many of the time.
  static let restShare: Int64 = 20
  /// The wait after a listing that found a change, so that the change is handled first.
  static let changingNanoseconds: Int64 = 1_000_000_000

  private let rules: ServingRules
  private var due: Set<BytePath> = []
  private var restUntil: [BytePath: Int64] = [:]

  init(_ rules: ServingRules) { self.rules = rules }

  /// Marks the folders above a path where something was added, changed or removed.
  mutating func mark(above path: String) { due.formUnion(folders(above: path)) }

  /// Returns the folders above a path that have their own ID.
  func folders(above path: String) -> [BytePath] {
    guard rules.folders != .none else { return [] }
    var folders: [BytePath] = [""]
    let bytes = path.utf8
    for index in bytes.indices where bytes[index] == UInt8(ascii: "/") {
      folders.append(BytePath(String(path[..<index])))
      if rules.folders == .top { break }
    }
    return folders
  }

  /// Marks a folder that is new, is gone or may have changed. "" is the served folder.
  mutating func mark(folder path: String) { if rules.offers(folder: path) { due.insert(BytePath(path)) } }

  /// The next time at which a marked folder that must wait may be listed.
  func deadline(after now: Int64) -> Int64? { due.compactMap { restUntil[$0] }.filter { $0 > now }.min() }

  /// Returns the folders to list now, in the order of their paths. Folders marked later wait for the next call.
  /// - `busy`: returns the folders that must wait. Called only if there is a folder to list.
  mutating func takeDue(at now: Int64, busy: () -> Set<BytePath>) -> [String] {
    var folders = due.filter { restUntil[$0] ?? .min <= now }
    if folders.isEmpty { return [] }
    folders.subtract(busy())
    due.subtract(folders)
    return folders.sorted().map(\.text)
  }

  /// Records that a folder was listed or could not be listed, and sets the earliest time of its next listing.
  mutating func listed(_ folder: String, tookNanoseconds: Int64, at now: Int64) {
    restUntil[BytePath(folder)] =
      now + max(ListingPlan.intervalNanoseconds, (ListingPlan.restShare - 1) * tookNanoseconds)
  }

  /// Marks a folder again that could not be listed because something below it was changing.
  mutating func postpone(_ folder: String, at now: Int64) {
    mark(folder: folder)
    restUntil[BytePath(folder)] = now + ListingPlan.changingNanoseconds
  }

  /// Forgets a folder that is gone.
  mutating func forget(_ folder: String) {
    due.remove(BytePath(folder))
    restUntil[BytePath(folder)] = nil
  }
}

/// Files, such as logs, that change so often that a listing with them would be out of date at once.
struct RestlessFiles {
  /// A file is restless if it changes for this long without a rest.
  static let patienceNanoseconds: Int64 = 60_000_000_000
  /// A file that does not change for this long is at rest.
  static let restNanoseconds: Int64 = 10_000_000_000

  private struct Changes {
    let first: Int64
    var last: Int64
    var isRestless = false
  }
  private var changes: [BytePath: Changes] = [:]
  private(set) var paths: Set<BytePath> = []
  /// The earliest time at which a file may be at rest.
  private(set) var deadline = Int64.max

  /// Records a change of a file. Returns whether the file becomes restless by it.
  mutating func changed(_ path: String, at now: Int64) -> Bool {
    let path = BytePath(path)
    var file = changes[path] ?? Changes(first: now, last: now)
    if now - file.last >= RestlessFiles.restNanoseconds { file = Changes(first: now, last: now) }
    file.last = now
    let begins = !file.isRestless && now - file.first >= RestlessFiles.patienceNanoseconds
    if begins {
      file.isRestless = true
      paths.insert(path)
    }
    changes[path] = file
    deadline = min(deadline, now + RestlessFiles.restNanoseconds)
    return begins
  }

  /// Forgets the files that are at rest. Returns those that were restless.
  mutating func takeRested(at now: Int64) -> [String] {
    guard deadline <= now else { return [] }
    var rested: [BytePath] = []
    deadline = .max
    for (path, file) in changes {
      let due = file.last + RestlessFiles.restNanoseconds
      if due > now {
        deadline = min(deadline, due)
        continue
      }
      changes[path] = nil
      if paths.remove(path) != nil { rested.append(path) }
    }
    return rested.sorted().map(\.text)
  }
}
