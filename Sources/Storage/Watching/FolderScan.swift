// Which files of a folder are served: every regular one below it whose path has no hidden component and is UTF-8.
import Content
import Posix
import SQLite

/// A folder whose files are served. What is opened through it stays beneath it, also when the folder's path is renamed.
public final class ServedFolder: Sendable {
  let directory: Directory
  /// As it was given.
  public var path: String { directory.path }

  /// The path itself may lead over symbolic links: it is the user's own choice. ENOTDIR where it is not a folder.
  public init(_ path: String) throws(Errno) { directory = try Directory(path) }

  /// What a path is, without opening it. ENOTDIR, ELOOP, EXDEV where something on the way to it is no folder of ours.
  func status(_ relativePath: String) throws(Errno) -> FileStatus {
    let parts = PathParts(relativePath)
    return try directory.openDirectory(beneath: parts.folder).status(of: parts.name)
  }

  /// Opens a file for reading, without waiting even if it has become a FIFO. See `Directory.open(beneath:)`.
  func open(_ relativePath: String) throws(Errno) -> File {
    try directory.open(beneath: relativePath, [.read, .nonBlocking])
  }
}

/// A file that will be served once it is hashed.
public struct ScannedFile: Hashable, Sendable {
  /// Relative to the served folder, components joined by "/".
  public let path: String
  public let status: FileStatus
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
    case .io(let errno): "\(errno.reason) (\(errno.call))"
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
/// Hidden files and folders (a leading dot: part files among them), symbolic links, FIFOs, sockets and devices are not
/// served and not mentioned. What could not be read or named is in `skipped`; it does not stop the rest.
public struct FolderScan: Sendable {
  public private(set) var files: [ScannedFile] = []
  public private(set) var skipped: [SkippedFile] = []

  /// Walks the folder now, or one below it. Failing to list that folder itself is the only error; what is in it is data.
  ///
  /// `visit` is called with the path of each folder ("" is the served one) when it is open and before it is listed, so
  /// that what it watches from then on leaves no gap.
  public init(
    _ folder: ServedFolder, below start: String = "", visit: (String, borrowing Directory) -> Void = { _, _ in }
  ) throws(Errno) {
    // Paths of folders yet to be listed, the next one last.
    var pending: [String] = []
    try list(folder, start, &pending, visit)
    while let path = pending.popLast() {
      do throws(Errno) {
        try list(folder, path, &pending, visit)
      } catch {
        // Swapped for a link, or gone, since it was listed: no longer a folder of ours.
        if error.code == Errno.noEntry { continue }
        skipped.append(SkippedFile(path: path, reason: .io(error)))
      }
    }
  }

  private mutating func list(
    _ folder: ServedFolder, _ path: String, _ pending: inout [String], _ visit: (String, borrowing Directory) -> Void
  ) throws(Errno) {
    let directory = try folder.directory.openDirectory(beneath: path.isEmpty ? "." : path)
    visit(path, directory)
    try list(directory, at: path.isEmpty ? "" : path + "/", folders: &pending)
  }

  private mutating func list(
    _ directory: borrowing Directory, at prefix: String, folders: inout [String]
  ) throws(Errno) {
    var found: [String] = []
    for entry in try directory.entries().sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
      if entry.name.first == UInt8(ascii: ".") { continue }
      guard let name = entry.text else {
        skipped.append(SkippedFile(path: prefix + String(decoding: entry.name, as: UTF8.self), reason: .nameNotUTF8))
        continue
      }
      switch entry.kind {
      case .symbolicLink?, .other?: continue
      case .directory?: found.append(prefix + name)
      case .regular?, nil:
        do throws(Errno) {
          if try take(directory, name, prefix) == .directory { found.append(prefix + name) }
        } catch {
          if error.code == Errno.noEntry { continue }  // deleted since it was listed
          skipped.append(SkippedFile(path: prefix + name, reason: .io(error)))
        }
      }
    }
    folders.append(contentsOf: found.reversed())
  }

  /// Adds the file of a name if it is one; gives what the name is.
  private mutating func take(
    _ directory: borrowing Directory, _ name: String, _ prefix: String
  ) throws(Errno) -> FileKind {
    let status = try directory.status(of: name)
    if status.kind != .regular { return status.kind }
    if ChunkLayout(fileLength: status.size) == nil {
      skipped.append(SkippedFile(path: prefix + name, reason: .tooLong))
    } else {
      files.append(ScannedFile(path: prefix + name, status: status))
    }
    return .regular
  }
}
