// Finds the files of a folder that are served: by default, every regular file below it whose path is UTF-8 and has no
// hidden component.
import Content
import Posix
import SQLite

/// A folder whose files are served. Whatever is opened through it lies beneath it, even after the folder was renamed.
public final class ServedFolder: Sendable {
  let directory: Directory
  /// The path as it was given.
  public var path: String { directory.path }

  public let rules: ServingRules

  /// Opens the folder. The path may lead over symbolic links, because the user chose it. Throws ENOTDIR if it is not a
  /// folder.
  public init(_ path: String, rules: ServingRules = ServingRules()) throws(Errno) {
    directory = try Directory(path)
    self.rules = rules
  }

  /// The last component of the real path. The given path may be "." or end in "..".
  public var name: String { PathParts((try? directory.realPath()) ?? path).name }

  /// Returns the status of a path without opening it. Throws ENOTDIR, ELOOP or EXDEV if a parent is not a folder
  /// beneath this one.
  func status(_ relativePath: String) throws(Errno) -> FileStatus {
    let parts = PathParts(relativePath)
    return try status(of: parts.name, in: try directory.openDirectory(beneath: parts.folder))
  }

  func status(of name: String, in folder: borrowing Directory) throws(Errno) -> FileStatus {
    rules.followsLinks ? try folder.status(ofTarget: name) : try folder.status(of: name)
  }

  /// Opens a file for reading. Does not block, even on a FIFO. See `Directory.open(beneath:)`.
  func open(_ relativePath: String) throws(Errno) -> File {
    guard rules.followsLinks else { return try directory.open(beneath: relativePath, [.read, .nonBlocking]) }
    let parts = PathParts(relativePath)
    return try open(parts.name, in: try directory.openDirectory(beneath: parts.folder))
  }

  /// Opens a file in an open folder for reading.
  func open(_ name: String, in folder: borrowing Directory) throws(Errno) -> File {
    try folder.open(name, rules.followsLinks ? [.read, .nonBlocking] : [.read, .nonBlocking, .noFollow])
  }
}

/// A file that will be served after it is hashed.
public struct ScannedFile: Hashable, Sendable {
  /// The path relative to the served folder, with components joined by "/".
  public let path: String
  public let status: FileStatus
  /// Whether the database did not have the file at the first scan.
  let isNew: Bool

  init(path: String, status: FileStatus, isNew: Bool = false) {
    (self.path, self.status, self.isNew) = (path, status, isNew)
  }
}

/// Why a file or a whole folder is not served.
public enum SkipReason: Error, Hashable, Sendable, CustomStringConvertible {
  case nameNotUTF8
  /// The file was written to, replaced or cut while it was read.
  case changed
  case notRegular
  /// The file has more chunks than the protocol allows.
  case tooLong
  case io(Errno)
  /// The hashes of the file cannot be kept.
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

/// A file or folder that is not served, although the user may expect it.
public struct SkippedFile: Hashable, Sendable, CustomStringConvertible {
  /// The path relative to the served folder. Bytes that are not UTF-8 are replaced.
  public let path: String
  public let reason: SkipReason

  public init(path: String, reason: SkipReason) {
    self.path = path
    self.reason = reason
  }

  public var description: String { "\(path): \(reason)" }
}

/// The result of a walk through the served folder, in the order of the paths' bytes, folder by folder.
///
/// By default, hidden names (with a leading dot), symbolic links, FIFOs, sockets and devices are not served but only
/// counted. Names that cannot be read or are not UTF-8 are in `skipped` too; they do not stop the walk.
public struct FolderScan: Sendable {
  public private(set) var files: [ScannedFile] = []
  public private(set) var skipped: [SkippedFile] = []
  /// What a listing of the folder leaves out.
  public private(set) var leftOut = LeftOutCounts()

  /// Walks the folder, or one below it. Throws only if the first folder cannot be listed; failures below it are data.
  ///
  /// `visit` is called with the path of each folder ("" is the served one) after it is opened and before it is listed.
  /// So a watch that begins there misses no change.
  public init(
    _ folder: ServedFolder, below start: String = "", visit: (String, borrowing Directory) -> Void = { _, _ in }
  ) throws(Errno) {
    var files: [ScannedFile] = []
    try self.init(folder, below: start, visit: visit) { prefix, name, status in
      files.append(ScannedFile(path: prefix + name, status: status))
    }
    self.files = files
  }

  /// As above, but `files` stays empty. `take` gets each file: the path of its folder with a "/" at the end, its name
  /// and its status.
  init(
    _ folder: ServedFolder, below start: String = "", visit: (String, borrowing Directory) -> Void = { _, _ in },
    take: (String, String, FileStatus) -> Void
  ) throws(Errno) {
    // The paths of the folders to list, the next one last.
    var pending: [String] = []
    try list(folder, start, &pending, visit, take)
    while let path = pending.popLast() {
      do throws(Errno) {
        try list(folder, path, &pending, visit, take)
      } catch {
        // The folder is gone since its name was read.
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
      case .leftOut(let reason): leftOut.add(reason, prefix + String(decoding: entry.name, as: UTF8.self))
      case .served(let name):
        do throws(Errno) {
          if try take(directory, name, entry.kind, prefix, of: folder, takeFile) { found.append(prefix + name) }
        } catch {
          if error.code == Errno.noEntry { continue }  // deleted since the folder was listed
          skip(prefix + name, .io(error))
        }
      }
    }
    folders.append(contentsOf: found.reversed())
  }

  /// Adds the file with a name, if it is a file. Returns whether it is a folder.
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
