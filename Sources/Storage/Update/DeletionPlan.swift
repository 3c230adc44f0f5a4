// Chooses the names that an update removes: names in the output that the new version does not have but could have.
import Content
import Posix

/// The files and folders that listed paths lead to. They are never removed, under any name.
struct ListedFiles {
  /// The identities at the listed paths, and of the targets of listed links.
  private(set) var identities: Set<FileIdentity> = []
  /// The folders that listed links lead to. Everything below them can be reached by a listed path.
  private(set) var linkedFolders: Set<FileIdentity> = []

  /// - `status`: returns what a path of the output is, and whether a link at its end is followed. Nil: nothing is
  ///   there.
  init(_ listing: FolderListing, status: (FolderPath, _ isFollowed: Bool) -> FileStatus?) {
    var lastParent: FolderPath?
    for entry in 0..<listing.count {
      let path = listing.path(of: entry)
      var parents: [FolderPath] = []
      var parent = path.parent
      while let folder = parent, folder != lastParent, !(lastParent?.isBelow(folder) ?? false) {
        parents.append(folder)
        parent = folder.parent
      }
      lastParent = path.parent
      for folder in parents.reversed() { add(folder, status) }
      add(path, status)
    }
  }

  private mutating func add(_ path: FolderPath, _ status: (FolderPath, Bool) -> FileStatus?) {
    guard let own = status(path, false) else { return }
    identities.insert(own.identity)
    guard own.kind == .symbolicLink, let end = status(path, true) else { return }
    identities.insert(end.identity)
    if end.kind == .directory { linkedFolders.insert(end.identity) }
  }
}

/// The names to remove at the end of an update. A value without I/O.
struct DeletionPlan {
  /// Indices of the names in the scan, in its order. A folder is removed only if it is empty by then.
  private(set) var places: [Int] = []

  /// Makes a plan that removes nothing.
  init() {}

  /// - `listed`: returns what listed paths lead to. Called only if there is a name to remove.
  init(
    _ listing: FolderListing, _ scan: OutputScan, _ options: FolderUpdateOptions, listed: () -> ListedFiles
  ) {
    guard options.deletes else { return }
    let unlisted = scan.names.indices.filter {
      let name = scan.names[$0]
      return listing.lookUp(name.path) == .nothing && options.mayDelete(name)
    }
    if unlisted.isEmpty { return }
    let listed = listed()
    // The unlisted folder that a listed link leads to. Names below it stay.
    var linked: FolderPath?
    for place in unlisted {
      let name = scan.names[place]
      if let folder = linked, name.path.isBelow(folder) { continue }
      linked = listed.linkedFolders.contains(name.status.identity) ? name.path : nil
      if !listed.identities.contains(name.status.identity) { places.append(place) }
    }
    removeOccupiedFolders(scan)
  }

  /// Keeps folders that contain a name which stays.
  private mutating func removeOccupiedFolders(_ scan: OutputScan) {
    var deleted = Set(places)
    for place in places.reversed() where scan.names[place].status.kind == .directory {
      if !scan.places(below: place).allSatisfy(deleted.contains) { deleted.remove(place) }
    }
    places = places.filter(deleted.contains)
  }
}
