// Plans how an output becomes a version of a folder: what is kept, copied, fetched, moved away and deleted.
import Content
import Posix

/// The source of a copy: a name in the output, or in another folder that the user named.
struct CopySource: Hashable, Sendable {
  /// 0 is the output. The other folders follow.
  let folder: Int
  let place: Int
}

/// An entry of a listing and the index of its name in a scan.
private struct PlacedEntry {
  let place: UInt32
  let entry: UInt32
}

/// The root of a file in a scan.
struct FoundRoot {
  let place: UInt32
  let root: Digest
}

/// The roots of names that are known without hashing. The caller asks in the order of the scan.
private struct KnownRoots {
  private let others: [FoundRoot]
  private let kept: [PlacedEntry]
  private var nextOther = 0
  private var nextKept = 0

  init(_ others: [FoundRoot], kept: [PlacedEntry]) { (self.others, self.kept) = (others, kept) }

  /// Returns the root of the name at a place, which must come after the places of earlier calls. Nil if it is not
  /// known.
  mutating func root(of place: UInt32, _ listing: FolderListing) -> Digest? {
    while nextKept < kept.count, kept[nextKept].place < place { nextKept += 1 }
    if nextKept < kept.count, kept[nextKept].place == place {
      return listing.fileRoot(of: Int(kept[nextKept].entry))
    }
    while nextOther < others.count, others[nextOther].place < place { nextOther += 1 }
    return nextOther < others.count && others[nextOther].place == place ? others[nextOther].root : nil
  }
}

/// What an update will do, planned before anything is fetched or changed.
struct FolderUpdatePlan: Sendable {
  let layout: FolderLayout
  /// The output, then the other folders whose files may be copied. If the output does not exist, the first is empty.
  let folders: [SearchedFolder]
  /// The entries that the output gets.
  let wanted: EntrySet
  /// The wanted entries that are already right.
  private(set) var kept: EntrySet
  /// The kept files whose mode changes.
  private(set) var modeChanges: [Int] = []
  /// The files that are copied instead of fetched.
  private(set) var copies: [Int: CopySource] = [:]
  /// All chunk hashes of the kept files that have several chunks.
  private(set) var chunkHashes: [Int: [Digest]] = [:]
  /// For a wanted entry, the index in the scan of the file or link at its path.
  let names: EntryPlaces
  /// The indices of files and links where a folder belongs.
  let obstacles: [Int]
  /// The wanted entries at whose path the output has a folder, with that folder's index.
  let replacedFolders: [Int: Int]
  /// The indices of the names that are removed at the end.
  private(set) var deletions: [Int] = []

  var listing: FolderListing { layout.listing }
  var output: SearchedFolder { folders[0] }
  var scan: OutputScan { output.scan }

  /// The wanted entries that the output lacks.
  var missing: EntrySet {
    var missing = wanted
    missing.subtract(kept)
    return missing
  }

  /// Scans the output and hashes the files that may be right. Nil soon after `shouldStop` returns true.
  /// - `output`: nil if it does not exist yet.
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
    let comparison: OutputComparison
    do throws(FolderUpdateFault) {
      comparison = try OutputComparison(listing, wanted: wanted, folders[0].scan, options, path: path)
    } catch {
      throw .update(error)
    }
    (names, obstacles, replacedFolders) = (comparison.names, comparison.obstacles, comparison.folders)
    kept = comparison.kept
    try checkChanges(options, rightIfHashed: comparison.candidates)
    let roots = compareRoots(comparison.candidates, threads: threads, shouldStop: shouldStop)
    compareModes(folders[0].scan)
    if shouldStop() { return nil }
    try checkChanges(options, rightIfHashed: nil)
    findCopies(known: roots, threads: threads, shouldStop: shouldStop)
    if shouldStop() { return nil }
    guard output != nil else { return }
    try checkMatch(options)
    try checkAbsence()
    try planDeletions(options)
  }

  // MARK: Kept files

  /// Returns the files among entries that are not empty and have a name, with the name's index. Scan and listing have
  /// the same order, and so has the result.
  private func placed(_ entries: EntrySet) -> [PlacedEntry] {
    entries.entries.lazy.filter { listing.isFile($0) && listing.fileLength(of: $0) > 0 }.compactMap { entry in
      names[entry].map { PlacedEntry(place: UInt32($0), entry: UInt32(entry)) }
    }
  }

  private static func entry(at place: UInt32, in pairs: [PlacedEntry]) -> Int {
    var (low, high) = (0, pairs.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if pairs[middle].place < place { low = middle + 1 } else { high = middle }
    }
    return Int(pairs[low].entry)
  }

  /// Keeps the files whose root is right. Returns the roots of the others, in the order of the scan.
  /// - `candidates`: entries whose path has a file of the right length.
  private mutating func compareRoots(
    _ candidates: EntrySet, threads: Int, shouldStop: @escaping @Sendable () -> Bool
  ) -> [FoundRoot] {
    let listing = listing
    let pairs = placed(candidates)
    var others: [FoundRoot] = []
    let places = pairs.lazy.map { Int($0.place) }
    output.findRoots(of: places, threads: threads, shouldStop: shouldStop) { place, found in
      let entry = FolderUpdatePlan.entry(at: UInt32(place), in: pairs)
      guard found.root == listing.fileRoot(of: entry) else {
        others.append(FoundRoot(place: UInt32(place), root: found.root))
        return
      }
      kept.insert(entry)
      if !found.chunkHashes.isEmpty { chunkHashes[entry] = found.chunkHashes }
    }
    return others.sorted { $0.place < $1.place }
  }

  /// Plans the right mode for kept files whose mode differs. A file with several names is copied instead, because the
  /// new mode would show at all of them.
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

  /// Finds for each missing file an existing one with the same length and root. Hashes only files of such a length.
  /// - `known`: roots of names in the output that are not kept, in the order of the scan.
  private mutating func findCopies(
    known: [FoundRoot], threads: Int, shouldStop: @escaping @Sendable () -> Bool
  ) {
    let listing = listing
    let open = missing.entries.lazy.filter { [copies] in
      listing.isFile($0) && copies[$0] == nil && listing.fileLength(of: $0) > 0
    }
    var contents = MissingContents(listing, open)
    for (index, folder) in folders.enumerated() where !contents.isEmpty && !shouldStop() {
      var unknown: [UInt32] = []
      var roots = KnownRoots(index == 0 ? known : [], kept: index == 0 ? placed(kept) : [])
      for place in folder.scan.names.indices {
        let status = folder.scan.names.status(at: place)
        guard status.kind == .regular, contents.hasLength(status.size) else { continue }
        if let root = roots.root(of: UInt32(place), listing) {
          note(CopySource(folder: index, place: place), FileContent(length: status.size, root: root), contents)
        } else {
          unknown.append(UInt32(place))
        }
      }
      folder.findRoots(of: unknown.lazy.map { Int($0) }, threads: threads, shouldStop: shouldStop) { place, found in
        let length = folder.scan.names.status(at: place).size
        note(CopySource(folder: index, place: place), FileContent(length: length, root: found.root), contents)
      }
      contents.keep { copies[$0] == nil }
    }
  }

  /// Plans a copy of a file for every missing file with the same content. The first of several sources wins.
  private mutating func note(_ source: CopySource, _ content: FileContent, _ contents: MissingContents) {
    for entry in contents.entries(of: content) {
      if let old = copies[entry], (old.folder, old.place) < (source.folder, source.place) { continue }
      copies[entry] = source
    }
  }

  /// Returns an old file that may have right chunks, for a file of several chunks that is not copied as a whole. It is
  /// the file at the same path in the output, or else in another folder.
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

  // MARK: Deletions

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
  /// Finds out what listed paths lead to in an output now.
  init(_ listing: FolderListing, in output: OpenFolder) {
    self.init(listing) { path, isFollowed in
      isFollowed
        ? try? output.directory.status(following: path.description)
        : try? output.directory.status(of: path.description)
    }
  }
}
