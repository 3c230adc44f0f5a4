// Decides when the listings of a watched folder are made, and what they leave out.
import Content
import Posix
import SQLite

extension WatchedFolder {
  /// Returns the folders whose listings the caller makes now. It reports each to `listed` afterwards.
  public func takeDueListings() -> [String] {
    if hasInitial { return [] }
    let before = plan
    return plan.takeDue(at: now()) {
      let waiting = unsettled.keys.filter { !restless.paths.contains($0) } + pathsToHash
      let paths = leaving.values.map(\.path) + waiting.map(\.text)
      var busy: Set<BytePath> = []
      for path in paths { busy.formUnion(before.folders(above: path)) }
      return busy
    }
  }

  /// The files that a listing leaves out, with the reasons.
  public var leftOutFiles: [BytePath: LeftOut] {
    var files = failed
    for path in restless.paths { files[path] = .changing }
    return files
  }

  /// Whether all files were checked recently, so that a listing need not check them again. The kernel reports changes
  /// since then, but not all changes that other machines make on a shared file system. So the check must be newer than
  /// the age that a listing may have anyway.
  public var hasJustLooked: Bool {
    !watchesFailed && rescanAt == nil && now() - lookedAt < ListingPlan.intervalNanoseconds
  }

  /// Takes the result of making a listing.
  public func listed(_ folder: String, _ failure: ListingError?, tookNanoseconds: Int64) {
    let now = now()
    if case .changing(let path)? = failure {
      // Perhaps no event reported the change.
      look(at: path, isSettled: false)
      return plan.postpone(folder, at: now)
    }
    plan.listed(folder, tookNanoseconds: tookNanoseconds, at: now)
    guard let failure else { return }
    if case .io(let errno) = failure, errno.isGone {
      plan.forget(folder)
      if catalogue.listings.remove(folder: folder) { emit(.event(.unlisted(folder: folder))) }
    } else {
      emit(.event(.warning("\(folder.isEmpty ? "." : folder)/ has no ID: \(failure)")))
    }
  }

  /// Records that a file is new or its bytes changed.
  func changes(_ path: String) {
    plan.mark(above: path)
    guard restless.changed(path, at: now()) else { return }
    emit(.event(.warning("\(path) keeps changing: the IDs of its folders leave it out until it stops changing")))
  }

  /// Marks all folders below a folder that have a listing. Each gets a new listing, or none if it is gone.
  func mark(listingsBelow folder: String) {
    plan.mark(above: folder)
    plan.mark(folder: folder)
    for listed in catalogue.listings.folders where isBelow(folder, listed) { plan.mark(folder: listed) }
  }

  func settleListings(at now: Int64) {
    for path in restless.takeRested(at: now) { plan.mark(above: path) }
  }
}

extension Errno {
  /// Whether a path leads to nothing, or out of the folder.
  var isGone: Bool {
    [Errno.noEntry, Errno.notFolder, Errno.symbolicLink, Errno.leavesFolder].contains(code)
  }
}

extension Catalogue {
  /// Returns the bytes to reserve for a listing of this many files. Otherwise a growing array would need three times
  /// its bytes for a moment. Reserved memory that stays unused costs nothing.
  private static func bytesToReserve(_ fileCount: Int) -> Int { min(fileCount * 128, FolderListing.byteCountMax) }

  /// Makes the listing of a folder and offers it. Nil if the listing is not new.
  /// - `leftOut`: the files that it leaves out.
  /// - `areSeen`: whether all served files were checked recently and later changes are reported.
  public func makeListing(
    of folder: String, leavingOut leftOut: [BytePath: LeftOut], areSeen: Bool = false
  ) throws(ListingError) -> ListedFolder? {
    let made = try FolderLister.list(
      folder, of: self.folder,
      reserving: folder.utf8.contains(UInt8(ascii: "/")) ? 0 : Catalogue.bytesToReserve(served.files),
      seen: { path in areSeen && (leftOut.isEmpty || leftOut[BytePath(path)] == nil) ? self.latest(at: path) : nil }
    ) { path, status in
      if !leftOut.isEmpty, let reason = leftOut[BytePath(path)] { return .leftOut(reason) }
      if ChunkLayout(fileLength: status.size) == nil { return .leftOut(.unreadable) }
      return content(at: path, status).map { .content($0) } ?? .changing
    }
    let listing = try listings.offer(made.listing, of: folder)
    guard listings.announces(folder, isNew: listing != nil), let newest = listings.newest(of: folder) else {
      return nil
    }
    return ListedFolder(listing: newest, name: listings.name(of: newest), leftOut: made.leftOut)
  }
}
