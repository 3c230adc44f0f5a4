// Makes the listing of a folder from the names below it. The contents of its files are already known.
import Content
import Posix

/// Why a folder cannot be listed now.
public enum ListingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The folder itself cannot be listed.
  case io(Errno)
  /// Something below the folder is changing. A later try may succeed. The path is relative to the served folder.
  case changing(path: String)
  /// The folder's entries do not fit a listing.
  case fault(FolderListingFault)
  case cannotKeep(String)

  public var description: String {
    switch self {
    case .io(let errno): "\(errno)"
    case .changing(let path): "\(path) is changing"
    case .fault(let fault): fault.description
    case .cannotKeep(let why): "its listing cannot be kept: \(why)"
    }
  }
}

/// A new listing.
public struct MadeListing: Sendable {
  public let listing: FolderListing
  public let leftOut: LeftOutCounts
}

/// Walks through a folder in the order of a listing. It opens no file.
public struct FolderLister {
  /// What is known about a file.
  public enum Known {
    case content(FileContent)
    case leftOut(LeftOut)
    /// The content will be known later.
    case changing
  }

  private let folder: ServedFolder
  /// The bytes of the listed folder's path, with a "/" at the end.
  private let rootLength: Int
  private let known: (String, FileStatus) -> Known
  private let seen: (String) -> (FileContent, isExecutable: Bool)?
  private var writer: FolderListingWriter
  private var leftOut = LeftOutCounts()

  /// Makes the listing of a folder.
  /// - `path`: relative to the served folder; "" is that folder.
  /// - `byteCount`: the bytes to reserve for the listing.
  /// - `seen`: called with the path of each regular file. Returns what the file was a moment ago, or nil to read its
  ///   status.
  /// - `known`: called with the path and the status of each other file.
  public static func list(
    _ path: String, of folder: ServedFolder, reserving byteCount: Int = 0,
    seen: @escaping (String) -> (FileContent, isExecutable: Bool)? = { _ in nil },
    known: (String, FileStatus) -> Known
  ) throws(ListingError) -> MadeListing {
    try withoutActuallyEscaping(known) { known throws(ListingError) in
      var lister = FolderLister(folder, path, FolderListingWriter(reserving: byteCount), seen, known)
      let directory = try attempt(
        { () throws(Errno) in try folder.directory.openDirectory(beneath: path.isEmpty ? "." : path) },
        orThrow: ListingError.io)
      try lister.list(directory, at: path.isEmpty ? "" : path + "/", depth: 1)
      let (writer, leftOut) = (lister.writer, lister.leftOut)
      lister.writer = FolderListingWriter()  // gives the bytes one owner, so that they are not copied
      do throws(FolderListingFault) { return MadeListing(listing: try writer.finish(), leftOut: leftOut) } catch {
        throw .fault(error)
      }
    }
  }

  private init(
    _ folder: ServedFolder, _ path: String, _ writer: FolderListingWriter,
    _ seen: @escaping (String) -> (FileContent, isExecutable: Bool)?,
    _ known: @escaping (String, FileStatus) -> Known
  ) {
    self.folder = folder
    self.seen = seen
    self.writer = writer
    rootLength = path.isEmpty ? 0 : path.utf8.count + 1
    self.known = known
  }

  /// - `depth`: the number of components in the paths of this folder's entries.
  private mutating func list(_ directory: borrowing Directory, at prefix: String, depth: Int) throws(ListingError) {
    let names: [DirectoryEntry]
    do throws(Errno) { names = try directory.entries() } catch { throw .io(error) }
    for entry in names.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
      switch folder.rules.verdict(on: entry.name, in: prefix) {
      case .ignored: continue
      case .leftOut(let reason): leftOut.add(reason, prefix + String(decoding: entry.name, as: UTF8.self))
      case .served where depth > FolderPath.componentCountMax: leftOut.add(.name)
      case .served(let name):
        do throws(ListingError) { try add(name, entry.kind, directory, prefix, depth) } catch {
          guard case .io(let errno) = error else { throw error }
          if errno.code == Errno.noEntry { throw .changing(path: prefix + name) }
          leftOut.add(.unreadable)
        }
      }
    }
  }

  private mutating func add(
    _ name: String, _ kind: FileKind?, _ directory: borrowing Directory, _ prefix: String, _ depth: Int
  ) throws(ListingError) {
    let path = prefix + name
    if kind == .directory { return try addFolder(path, depth) }
    if kind == .other { return leftOut.add(.special) }
    if kind == .regular, let (content, isExecutable) = seen(path) {
      return try append(path, .file(content, isExecutable: isExecutable))
    }
    var status = try attempt({ () throws(Errno) in try directory.status(of: name) }, orThrow: ListingError.io)
    if status.kind == .symbolicLink {
      guard folder.rules.followsLinks, let target = try? directory.status(ofTarget: name), target.kind == .regular
      else { return try addLink(name, directory, path) }
      status = target
    }
    switch status.kind {
    case .directory: try addFolder(path, depth)
    case .symbolicLink, .other: leftOut.add(.special)
    case .regular:
      switch known(path, status) {
      case .content(let content): try append(path, .file(content, isExecutable: status.isExecutable))
      case .leftOut(let reason): leftOut.add(reason)
      case .changing: throw .changing(path: path)
      }
    }
  }

  /// Adds the entries of a folder, or an entry for an empty folder.
  private mutating func addFolder(_ path: String, _ depth: Int) throws(ListingError) {
    let directory = try attempt(
      { () throws(Errno) in try folder.directory.openDirectory(beneath: path) }, orThrow: ListingError.io)
    let before = writer.count
    try list(directory, at: path + "/", depth: depth + 1)
    if writer.count == before { try append(path, .emptyFolder) }
  }

  private mutating func addLink(_ name: String, _ directory: borrowing Directory, _ path: String) throws(ListingError) {
    let target = try attempt({ () throws(Errno) in try directory.readLink(name) }, orThrow: ListingError.io)
    let item = FolderEntry.Item.symbolicLink(target: FolderPath(utf8: target))
    guard FolderEntry(listed(path), item).isAllowed else { return leftOut.add(.link) }
    try append(path, item)
  }

  private mutating func append(_ path: String, _ item: FolderEntry.Item) throws(ListingError) {
    do throws(FolderListingFault) { try writer.append(FolderEntry(listed(path), item)) } catch { throw .fault(error) }
  }

  /// Returns the path as the listing has it.
  private func listed(_ path: String) -> FolderPath { FolderPath(utf8: Array(path.utf8.dropFirst(rootLength))) }
}
