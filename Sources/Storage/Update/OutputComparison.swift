// Compares a version of a folder with a scan of the output, before any file is hashed.
import Content
import Posix

/// The entries of a listing compared with the names of a scan. A value without I/O.
struct OutputComparison {
  /// Wanted entries that are already right: links, folders and empty files.
  private(set) var kept: EntrySet
  /// Wanted files whose path has a file of the right length. They must be hashed.
  private(set) var candidates: EntrySet
  /// For a wanted entry, the index of the file or link at its path.
  private(set) var names: EntryPlaces
  /// The indices of files and links where a folder belongs.
  private(set) var obstacles: [Int] = []
  /// The wanted entries at whose path the output has a folder, with that folder's index.
  private(set) var folders: [Int: Int] = [:]

  private let listing: FolderListing
  private let scan: OutputScan
  private let options: FolderUpdateOptions
  /// The folder that was checked last. Neighbours in the listing often have the same folder.
  private var lastParent: FolderPath?
  private let path: String

  /// Throws if something is in the way that is never replaced.
  /// - `wanted`: the entries that the output gets.
  /// - `path`: the output's path, for errors.
  init(
    _ listing: FolderListing, wanted: EntrySet, _ scan: OutputScan, _ options: FolderUpdateOptions, path: String
  ) throws(FolderUpdateFault) {
    (self.listing, self.scan, self.options, self.path) = (listing, scan, options, path)
    kept = EntrySet(entryCount: listing.count)
    candidates = kept
    names = EntryPlaces(entryCount: listing.count)
    for entry in wanted.entries {
      let entryPath = listing.path(of: entry)
      if let parent = entryPath.parent { try clear(parent) }
      try compare(entry, entryPath)
    }
  }

  /// Checks that each component of a folder's path is a folder or may be replaced by one.
  private mutating func clear(_ folder: FolderPath) throws(FolderUpdateFault) {
    guard folder != lastParent else { return }
    if let parent = folder.parent { try clear(parent) }
    lastParent = folder
    if let place = scan.place(of: folder) { try clear(placeOfFolder: place) }
  }

  private mutating func clear(placeOfFolder place: Int) throws(FolderUpdateFault) {
    let name = scan.names[place]
    switch name.status.kind {
    case .directory: if name.isOpaque { throw .mounted(path: fullPath(name)) }
    case .regular, .symbolicLink: if obstacles.last != place { obstacles.append(place) }
    case .other: throw .notAFile(path: fullPath(name))
    }
  }

  private mutating func compare(_ entry: Int, _ path: FolderPath) throws(FolderUpdateFault) {
    guard let place = scan.place(of: path) else { return }
    let name = scan.names[place]
    let isFolder = listing.isEmptyFolder(entry)
    switch name.status.kind {
    case .other: throw .notAFile(path: fullPath(name))
    case .directory where name.isOpaque: throw .mounted(path: fullPath(name))
    case .directory: if isFolder { kept.insert(entry) } else { try replace(folderAt: place, by: entry) }
    case .regular, .symbolicLink: if isFolder { try clear(placeOfFolder: place) } else { compare(entry, nameAt: place) }
    }
  }

  private mutating func compare(_ entry: Int, nameAt place: Int) {
    let name = scan.names[place]
    names[entry] = place
    guard listing.isFile(entry) else {
      if name.status.kind == .symbolicLink, listing.linkTarget(of: entry)?.utf8 == name.target { kept.insert(entry) }
      return
    }
    guard name.status.kind == .regular, name.status.size == listing.fileLength(of: entry) else { return }
    if name.status.size == 0 { kept.insert(entry) } else { candidates.insert(entry) }
  }

  /// Plans to replace a folder. Throws if something would be lost: it may hold only folders and names that are deleted
  /// anyway.
  private mutating func replace(folderAt place: Int, by entry: Int) throws(FolderUpdateFault) {
    folders[entry] = place
    guard options.changes == .all else { return }  // otherwise nothing is replaced
    for below in scan.places(below: place) {
      let name = scan.names[below]
      let isHollow = name.status.kind == .directory && !name.isOpaque
      guard isHollow || options.mayDelete(name) else {
        throw .unlisted(folder: fullPath(scan.names[place]), name: name.path.description)
      }
    }
  }

  private func fullPath(_ name: ScannedName) -> String { "\(path)/\(name.path)" }
}

extension FolderUpdateOptions {
  /// Whether an update may delete a name that the version does not have.
  func mayDelete(_ name: ScannedName) -> Bool {
    deletes && (deletesHidden || !name.isHidden) && name.isNameable && filter.includes(name.path.description)
  }
}
