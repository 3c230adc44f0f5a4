// Which names an update removes: those that the version does not have and could have.
import Content
import Posix

/// What listed paths lead to. Nothing of that is removed, whatever its name is.
struct ListedFiles {
  /// What the paths are, and what they lead to over links.
  private(set) var identities: Set<FileIdentity> = []
  /// Folders that listed paths lead to over links: all that lies below them is reached by a listed path.
  private(set) var linkedFolders: Set<FileIdentity> = []

  /// - `status`: what a path of the output is, with or without following a link at its end; nil: nothing.
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

/// The names that are removed at the end of an update. A value without I/O.
struct DeletionPlan {
  /// Places in the scan, in its order. A folder is removed only if nothing is in it by then.
  private(set) var places: [Int] = []

  /// No name.
  init() {}

  /// - `listed`: what listed paths lead to; asked for only if there is a name to remove.
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
    // The unlisted folder that a listed link leads to and in which the name lies that is looked at.
    var linked: FolderPath?
    for place in unlisted {
      let name = scan.names[place]
      if let folder = linked, name.path.isBelow(folder) { continue }
      linked = listed.linkedFolders.contains(name.status.identity) ? name.path : nil
      if !listed.identities.contains(name.status.identity) { places.append(place) }
    }
    removeOccupiedFolders(scan)
  }

  /// Folders stay if a name in them stays.
  private mutating func removeOccupiedFolders(_ scan: OutputScan) {
    var deleted = Set(places)
    for place in places.reversed() where scan.names[place].status.kind == .directory {
      if !scan.places(below: place).allSatisfy(deleted.contains) { deleted.remove(place) }
    }
    places = places.filter(deleted.contains)
  }
}
