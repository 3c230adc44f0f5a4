// Which files of a folder are served: every regular one below it whose path has no hidden component and is UTF-8.
import Content
import Posix
import SQLite

/// A folder whose files are served. What is opened through it stays beneath it, also when the folder's path is renamed.
public final class ServedFolder: Sendable {
  let directory: Directory
  /// As it was given.
  public var path: String { directory.path }

  public let rules: ServingRules

  /// The path itself may lead over symbolic links: it is the user's own choice. ENOTDIR where it is not a folder.
  public init(_ path: String, rules: ServingRules = ServingRules()) throws(Errno) {
    directory = try Directory(path)
    self.rules = rules
  }

  /// The last component of its path. The path may be "." or end in "..", so the system is asked.
  public var name: String { PathParts((try? directory.realPath()) ?? path).name }

  /// What a path is, without opening it. ENOTDIR, ELOOP, EXDEV where something on the way to it is no folder of ours.
  func status(_ relativePath: String) throws(Errno) -> FileStatus {
    let parts = PathParts(relativePath)
    return try status(of: parts.name, in: try directory.openDirectory(beneath: parts.folder))
  }

  func status(of name: String, in folder: borrowing Directory) throws(Errno) -> FileStatus {
    rules.followsLinks ? try folder.status(ofTarget: name) : try folder.status(of: name)
  }

  /// Opens a file for reading, without waiting even if it has become a FIFO. See `Directory.open(beneath:)`.
  func open(_ relativePath: String) throws(Errno) -> File {
    guard rules.followsLinks else { return try directory.open(beneath: relativePath, [.read, .nonBlocking]) }
    let parts = PathParts(relativePath)
    return try open(parts.name, in: try directory.openDirectory(beneath: parts.folder))
  }

  /// Opens a file of an open folder for reading.
  func open(_ name: String, in folder: borrowing Directory) throws(Errno) -> File {
    try folder.open(name, rules.followsLinks ? [.read, .nonBlocking] : [.read, .nonBlocking, .noFollow])
  }
}

/// A file that will be served once it is hashed.
public struct ScannedFile: Hashable, Sendable {
  /// Relative to the served folder, components joined by "/".
  public let path: String
  public let status: FileStatus
  /// The database had no such file when the folder was first looked through.
  let isNew: Bool

  init(path: String, status: FileStatus, isNew: Bool = false) {
    (self.path, self.status, self.isNew) = (path, status, isNew)
  }
}

/// Why a file, or a whole folder, is not served.
public enum SkipReason: Error, Hashable, Sendable, CustomStringConvertible {
  case nameNotUTF8
  /// It was written to, replaced or cut while it was read.
  case changed
  case notRegular
  /// It has more chunks than a file can have.
  case tooLong
  case io(Errno)
  /// Its hashes cannot be kept.
  case cannotKeep(DatabaseError)
  /// The caller no longer wants the hash.
  case stopped

  public var description: String {
    switch self {
    case .nameNotUTF8: "its name is not UTF-8"
    case .changed: "it changed while it was read"
    case .notRegular: "it is not a regular file"
    case .tooLong: "it is longer than 4 TiB"
    case .io(let errno): errno.reason
    case .cannotKeep(let error): "its hashes cannot be kept: \(error)"
    case .stopped: "hashing was stopped"
    }
  }
}

/// A file or folder that is not served although one might expect it to be.
public struct SkippedFile: Hashable, Sendable, CustomStringConvertible {
  /// Relative to the served folder; bytes that are not UTF-8 are replaced.
  public let path: String
  public let reason: SkipReason

  public init(path: String, reason: SkipReason) {
    self.path = path
    self.reason = reason
  }

  public var description: String { "\(path): \(reason)" }
}

/// What a walk through the served folder found, in the order of the paths' bytes, folder by folder.
///
/// Hidden files and folders (a leading dot), symbolic links, FIFOs, sockets and devices are not served: they are counted.
/// What could not be read or named is in `skipped` too; it does not stop the rest.
public struct FolderScan: Sendable {
  public private(set) var files: [ScannedFile] = []
  public private(set) var skipped: [SkippedFile] = []
  /// What a listing of the folder leaves out.
  public private(set) var leftOut = LeftOutCounts()

  /// Walks the folder now, or one below it. Failing to list that folder itself is the only error; what is in it is data.
  ///
  /// `visit` is called with the path of each folder ("" is the served one) when it is open and before it is listed, so
  /// that what it watches from then on leaves no gap.
  public init(
    _ folder: ServedFolder, below start: String = "", visit: (String, borrowing Directory) -> Void = { _, _ in }
  ) throws(Errno) {
    var files: [ScannedFile] = []
    try self.init(folder, below: start, visit: visit) { prefix, name, status in
      files.append(ScannedFile(path: prefix + name, status: status))
    }
    self.files = files
  }

  /// As above, but `files` stays empty: `take` gets each file, by the path of its folder with the "/" after it, its name
  /// and its status.
  init(
    _ folder: ServedFolder, below start: String = "", visit: (String, borrowing Directory) -> Void = { _, _ in },
    take: (String, String, FileStatus) -> Void
  ) throws(Errno) {
    // Paths of folders yet to be listed, the next one last.
    var pending: [String] = []
    try list(folder, start, &pending, visit, take)
    while let path = pending.popLast() {
      do throws(Errno) {
        try list(folder, path, &pending, visit, take)
      } catch {
        // Swapped for a link, or gone, since it was listed: no longer a folder of ours.
        if error.code == Errno.noEntry { continue }
        skip(path, .io(error))
      }
    }
  }

  private mutating func skip(_ path: String, _ reason: SkipReason) {
    skipped.append(SkippedFile(path: path, reason: reason))
    leftOut.add(reason == .nameNotUTF8 ? .name : .unreadable)
  }

  private mutating func list(
    _ folder: ServedFolder, _ path: String, _ pending: inout [String], _ visit: (String, borrowing Directory) -> Void,
    _ takeFile: (String, String, FileStatus) -> Void
  ) throws(Errno) {
    let directory = try folder.directory.openDirectory(beneath: path.isEmpty ? "." : path)
    visit(path, directory)
    try list(directory, at: path.isEmpty ? "" : path + "/", of: folder, folders: &pending, takeFile)
  }

  private mutating func list(
    _ directory: borrowing Directory, at prefix: String, of folder: ServedFolder, folders: inout [String],
    _ takeFile: (String, String, FileStatus) -> Void
  ) throws(Errno) {
    var found: [String] = []
    for entry in try directory.entries().sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
      switch folder.rules.verdict(on: entry.name, in: prefix) {
      case .ignored: continue
      case .leftOut(.name): skip(prefix + String(decoding: entry.name, as: UTF8.self), .nameNotUTF8)
      case .leftOut(let reason): leftOut.add(reason)
      case .served(let name):
        do throws(Errno) {
          if try take(directory, name, entry.kind, prefix, of: folder, takeFile) { found.append(prefix + name) }
        } catch {
          if error.code == Errno.noEntry { continue }  // deleted since it was listed
          skip(prefix + name, .io(error))
        }
      }
    }
    folders.append(contentsOf: found.reversed())
  }

  /// Adds the file of a name if it is one. Returns whether it is a folder.
  private mutating func take(
    _ directory: borrowing Directory, _ name: String, _ kind: FileKind?, _ prefix: String, of folder: ServedFolder,
    _ takeFile: (String, String, FileStatus) -> Void
  ) throws(Errno) -> Bool {
    if kind == .directory { return true }
    if kind == .other {
      leftOut.add(.special)
      return false
    }
    var status = try directory.status(of: name)
    if status.kind == .symbolicLink {
      guard folder.rules.followsLinks, let target = try? directory.status(ofTarget: name), target.kind == .regular
      else {
        let target = FolderPath(utf8: try directory.readLink(name))
        if !FolderEntry(FolderPath(prefix + name), .symbolicLink(target: target)).isAllowed { leftOut.add(.link) }
        return false
      }
      status = target
    }
    switch status.kind {
    case .directory: return true
    case .symbolicLink, .other: leftOut.add(.special)
    case .regular:
      if ChunkLayout(fileLength: status.size) == nil {
        skip(prefix + name, .tooLong)
      } else {
        takeFile(prefix, name, status)
      }
    }
    return false
  }
}
