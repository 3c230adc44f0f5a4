// Which folders get a new listing, and when: seldom enough that a busy folder costs little, and peers can follow.

/// The folders whose listing is no longer true. Time is handed in, in nanoseconds.
struct ListingPlan {
  /// Between two listings of one folder. A peer that fetches one of the last four has 40 s to open its contents.
  static let intervalNanoseconds: Int64 = 10_000_000_000
  /// A folder is listed for a twentieth of the time at most.
  static let restShare: Int64 = 20
  /// After a listing that found a change, the change is dealt with first.
  static let changingNanoseconds: Int64 = 1_000_000_000

  private let rules: ServingRules
  private var due: Set<BytePath> = []
  private var restUntil: [BytePath: Int64] = [:]

  init(_ rules: ServingRules) { self.rules = rules }

  /// Something came, changed or went at a path: the folders above it get a new listing.
  mutating func mark(above path: String) { due.formUnion(folders(above: path)) }

  /// The folders above a path that have an ID of their own.
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

  /// A folder is new, or gone, or may have changed; "" is the served folder.
  mutating func mark(folder path: String) { if rules.offers(folder: path) { due.insert(BytePath(path)) } }

  /// When a listing is due next that is not due yet.
  func deadline(after now: Int64) -> Int64? { due.compactMap { restUntil[$0] }.filter { $0 > now }.min() }

  /// The folders that are listed now, in the order of their paths. What is marked from now on is about the next time.
  /// - `busy`: gives the folders that wait. It is called if there is a folder to list.
  mutating func takeDue(at now: Int64, busy: () -> Set<BytePath>) -> [String] {
    var folders = due.filter { restUntil[$0] ?? .min <= now }
    if folders.isEmpty { return [] }
    folders.subtract(busy())
    due.subtract(folders)
    return folders.sorted().map(\.text)
  }

  /// A folder was listed, or could not be.
  mutating func listed(_ folder: String, tookNanoseconds: Int64, at now: Int64) {
    restUntil[BytePath(folder)] =
      now + max(ListingPlan.intervalNanoseconds, (ListingPlan.restShare - 1) * tookNanoseconds)
  }

  /// A folder could not be listed, since something below it was changing.
  mutating func postpone(_ folder: String, at now: Int64) {
    mark(folder: folder)
    restUntil[BytePath(folder)] = now + ListingPlan.changingNanoseconds
  }

  /// A folder is gone.
  mutating func forget(_ folder: String) {
    due.remove(BytePath(folder))
    restUntil[BytePath(folder)] = nil
  }
}

/// Files that change so often that a listing with them would be old at once, such as logs.
struct RestlessFiles {
  /// A file is restless if it changes for this long, without a rest.
  static let patienceNanoseconds: Int64 = 60_000_000_000
  /// A file that does not change for so long rests.
  static let restNanoseconds: Int64 = 10_000_000_000

  private struct Changes {
    let first: Int64
    var last: Int64
    var isRestless = false
  }
  private var changes: [BytePath: Changes] = [:]
  private(set) var paths: Set<BytePath> = []
  /// No file begins to rest before.
  private(set) var deadline = Int64.max

  /// A file changes. True if it is restless from now on.
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

  /// Forgets the files that rest. Returns those that were restless.
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
