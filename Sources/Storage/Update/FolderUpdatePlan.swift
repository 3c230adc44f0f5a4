// Plans how an output becomes a version of a folder: what is kept, copied, fetched, moved out of the way, and deleted.
import Content
import Posix

/// A file that is copied: the place of its name in the output, or in another folder that the user named.
struct CopySource: Hashable, Sendable {
  /// 0 is the output; then come the other folders.
  let folder: Int
  let place: Int
}

/// What an update does, planned before anything is fetched or changed.
struct FolderUpdatePlan: Sendable {
  let layout: FolderLayout
  /// The output, then the other folders whose files may be copied. If the output is not there, it is empty.
  let folders: [SearchedFolder]
  /// Entries that the output gets.
  let wanted: EntrySet
  /// Wanted entries that are right already.
  private(set) var kept: EntrySet
  /// Kept files whose mode changes.
  private(set) var modeChanges: [Int] = []
  /// Files that are copied instead of fetched.
  private(set) var copies: [Int: CopySource] = [:]
  /// For a wanted entry, the place of the file or link at its path.
  let names: [Int: Int]
  /// Places of files and links where a folder belongs.
  let obstacles: [Int]
  /// Wanted entries whose path is that of a folder, with its place.
  let replacedFolders: [Int: Int]
  /// Places of the names that are removed at the end.
  private(set) var deletions: [Int] = []

  var listing: FolderListing { layout.listing }
  var output: SearchedFolder { folders[0] }
  var scan: OutputScan { output.scan }

  /// Wanted entries that the output does not have.
  var missing: EntrySet {
    var missing = wanted
    missing.subtract(kept)
    return missing
  }

  /// Looks at the output and hashes the files that may be right. Nil soon after `shouldStop` says so.
  /// - `output`: nil: it is not there yet.
  init?(
    _ layout: FolderLayout, output: OpenFolder?, _ options: FolderUpdateOptions, threads: Int,
    shouldStop: @escaping @Sendable () -> Bool
  ) throws(PartFileError) {
    self.layout = layout
    let listing = layout.listing
    wanted = options.filter.entries(of: listing)
    var folders: [SearchedFolder] = []
    do throws(Errno) {
      if output == nil { folders.append(SearchedFolder.empty(OpenFolder(try Directory("/")))) }
      let others = try options.reusedFolders.map { path throws(Errno) in OpenFolder(try Directory(path)) }
      for folder in (output.map { [$0] } ?? []) + others {
        guard let found = try SearchedFolder(folder, stateFolder: options.stateFolder, shouldStop: shouldStop) else {
          return nil
        }
        folders.append(found)
      }
    } catch {
      throw .io(error)
    }
    self.folders = folders
    let path = output?.directory.path ?? ""
    var comparison: OutputComparison
    do throws(FolderUpdateFault) {
      comparison = try OutputComparison(listing, wanted: wanted, folders[0].scan, options, path: path)
    } catch {
      throw .update(error)
    }
    let scan = folders[0].scan
    let roots = folders[0].roots(
      of: comparison.candidates.map(\.place), threads: threads, shouldStop: shouldStop)
    for (entry, place) in comparison.candidates where roots[place] == listing.fileRoot(of: entry) {
      comparison.keep(entry)
    }
    kept = comparison.kept
    (names, obstacles, replacedFolders) = (comparison.names, comparison.obstacles, comparison.folders)
    compareModes(scan)
    findCopies(known: roots, threads: threads, shouldStop: shouldStop)
    if shouldStop() { return nil }
    guard output != nil else { return }
    try checkMatch(options)
    try checkAbsence()
    try planDeletions(options)
  }

  // MARK: Kept files

  /// A kept file whose mode differs gets the right one. If it has several names, they would all get it: then it is copied.
  private mutating func compareModes(_ scan: OutputScan) {
    for entry in kept.entries where listing.isFile(entry) {
      guard let place = names[entry] else { continue }
      let status = scan.names[place].status
      guard (status.mode & 0o100 != 0) != listing.isExecutable(entry) else { continue }
      if status.linkCount == 1, status.owner == Environment.userID {
        modeChanges.append(entry)
      } else {
        kept.remove(entry)
        copies[entry] = CopySource(folder: 0, place: place)
      }
    }
  }

  // MARK: Copies

  /// Finds a file with the length and the root of each file that is missing. Only files of such a length are hashed.
  /// - `known`: roots of names of the output.
  private mutating func findCopies(
    known: [Int: Digest], threads: Int, shouldStop: @escaping @Sendable () -> Bool
  ) {
    var open: [UInt64: [Int]] = [:]
    for entry in missing.entries where listing.isFile(entry) && copies[entry] == nil {
      let length = listing.fileLength(of: entry)
      if length > 0 { open[length, default: []].append(entry) }
    }
    for (index, folder) in folders.enumerated() where !open.isEmpty && !shouldStop() {
      let places = folder.scan.names.indices.filter {
        let status = folder.scan.names[$0].status
        return status.kind == .regular && open[status.size] != nil
      }
      var roots = index == 0 ? known : [:]
      roots.merge(
        folder.roots(of: places.filter { roots[$0] == nil }, threads: threads, shouldStop: shouldStop)
      ) { $1 }
      var sources: [FileContent: Int] = [:]
      for place in places.reversed() {
        if let root = roots[place] {
          sources[FileContent(length: folder.scan.names[place].status.size, root: root)] = place
        }
      }
      for (length, entries) in open {
        let left = entries.filter { entry in
          let source = sources[FileContent(length: length, root: listing.fileRoot(of: entry))]
          if let source { copies[entry] = CopySource(folder: index, place: source) }
          return source == nil
        }
        open[length] = left.isEmpty ? nil : left
      }
    }
  }

  /// An old file whose chunks may be right, for a file of several chunks that is not copied: the file at its path in the
  /// output, else in another folder.
  func base(of entry: Int) -> CopySource? {
    guard listing.isFile(entry), copies[entry] == nil,
      listing.fileLength(of: entry) > UInt64(ChunkLayout.wireChunkSize)
    else { return nil }
    let path = listing.path(of: entry)
    for (index, folder) in folders.enumerated() {
      guard let place = folder.scan.place(of: path) else { continue }
      let status = folder.scan.names[place].status
      if status.kind == .regular, status.size > 0 { return CopySource(folder: index, place: place) }
    }
    return nil
  }

  // MARK: What cannot be

  /// A folder that has little to do with the version is likely not the one that the user means.
  private func checkMatch(_ options: FolderUpdateOptions) throws(PartFileError) {
    let isEmpty = scan.names.allSatisfy(\.isHidden)
    let hasContent = kept.entries.contains { listing.isFile($0) && listing.fileLength(of: $0) > 0 }
    let isRenamed = copies.values.contains { $0.folder == 0 }
    if isEmpty || hasContent || isRenamed || options.acceptsStrangeOutput { return }
    var top: FolderPath?
    var (count, countThere) = (0, 0)
    for entry in wanted.entries {
      let name = listing.path(of: entry).first
      if name == top { continue }
      top = name
      count += 1
      if scan.place(of: name) != nil { countThere += 1 }
    }
    guard 2 * countThere >= count else { throw .update(.strangeOutput(path: output.folder.directory.path)) }
  }

  /// A name that the scan did not see must be free. If it is not, the file system takes another name for it.
  private func checkAbsence() throws(PartFileError) {
    let folder = output.folder
    let taken = FolderUpdatePlan.firstTaken(by: missing, of: listing, scan) {
      try? folder.directory.status(of: $0.description)
    }
    if let taken { throw self.taken(taken.path, by: taken.status) }
  }

  /// The first path that missing entries need, that the scan did not see, and that is not free. It is that of an entry, or
  /// of a folder above it.
  /// - `status`: what a path of the output is; nil: nothing.
  static func firstTaken(
    by missing: EntrySet, of listing: FolderListing, _ scan: OutputScan, status: (FolderPath) -> FileStatus?
  ) -> (path: FolderPath, status: FileStatus)? {
    // The entries of a new folder follow on each other, and all need it first.
    var last: FolderPath?
    for entry in missing.entries {
      guard let path = scan.firstUnseen(on: listing.path(of: entry)), path != last else { continue }
      last = path
      if let taken = status(path) { return (path, taken) }
    }
    return nil
  }

  /// The error for a name that is taken although the scan did not see it.
  func taken(_ path: FolderPath, by status: FileStatus) -> PartFileError {
    let folder = output.folder
    let other = scan.names.first { $0.status.identity == status.identity && $0.path.parent == path.parent }
    guard let other else { return .update(.changed(path: folder.directory.path(of: path.description))) }
    return .sameName(
      path: folder.directory.path(of: path.description), other: folder.directory.path(of: other.path.description))
  }

  private mutating func planDeletions(_ options: FolderUpdateOptions) throws(PartFileError) {
    let output = output
    deletions = DeletionPlan(listing, scan, options) { ListedFiles(layout.listing, in: output.folder) }.places
    guard !deletions.isEmpty, !options.acceptsStrangeOutput, !kept.entries.contains(where: listing.isFile) else {
      return
    }
    throw .update(.nothingKept(path: output.folder.directory.path, deletionCount: deletions.count))
  }
}

extension ListedFiles {
  /// What listed paths lead to in an output now.
  init(_ listing: FolderListing, in output: OpenFolder) {
    self.init(listing) { path, isFollowed in
      isFollowed
        ? try? output.directory.status(following: path.description)
        : try? output.directory.status(of: path.description)
    }
  }
}
