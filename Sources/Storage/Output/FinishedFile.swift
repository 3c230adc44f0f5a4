// Finds out what already has the output's name. It may be the wanted file itself.
import Content
import Posix

/// What has the output's name.
public enum PlaceContent: Sendable {
  case nothing
  /// The wanted file, hashed and on the disk.
  case wanted(FoundFile)
  case other(path: String, FileKind)
}

/// An existing file that is the wanted one.
public struct FoundFile: Sendable {
  public let path: String
  /// The kind of the bytes: a file, or the listing of a folder.
  public let kind: ContentKind
  public let tree: HashTree
  /// The open file. A read throws if the file is no longer what was hashed.
  public let file: CheckedFile
}

extension PartFile {
  /// Whether `content` would hash what has the output's name. If not, `content` answers at once.
  public static func isHashed(_ name: String, inFolder folderPath: String, length: UInt64?) -> Bool {
    guard let folder = try? Directory(folderPath), let status = try? folder.status(of: name) else { return false }
    return isCandidate(status, length: length)
  }

  private static func isCandidate(_ status: FileStatus, length: UInt64?) -> Bool {
    status.kind == .regular && (length == nil || length == status.size)
  }

  /// Looks at what has the output's name. A file of the right length (nil: any length) is hashed on all cores. If it is
  /// the wanted one, it is synced and the rest of an earlier download is removed. After `shouldStop` returns true, the
  /// call returns soon and its result has no meaning.
  public static func content(
    of name: String, inFolder folderPath: String, fileID: FileID, kind: ContentKind = .file, length: UInt64?,
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws(PartFileError) -> PlaceContent {
    let folder: Directory
    do throws(Errno) { folder = try Directory(folderPath) } catch { throw .cannotCreate(error) }
    let path = folder.path(of: name)
    let status: FileStatus
    do throws(Errno) {
      status = try folder.status(of: name)
      guard isCandidate(status, length: length) else { return .other(path: path, status.kind) }
    } catch {
      if error.code == Errno.noEntry { return .nothing }
      throw .cannotCreate(error)
    }
    guard let hashed = try? hashFile(path, shouldStop: shouldStop),
      FileID(kind: kind, length: hashed.tree.pages.layout.fileLength, root: hashed.tree.root) == fileID
    else {
      return .other(path: path, status.kind)
    }
    do throws(Errno) {
      // The file may have got its name a moment before a crash, and not be on the disk.
      let file = try folder.open(name, [.read, .noFollow, .nonBlocking])
      try file.syncData()
      try folder.sync()
      guard let checked = try? CheckedFile(file, as: status, called: path) else {
        return .other(path: path, status.kind)
      }
      removeLeftovers(of: fileID, in: folder)
      return .wanted(FoundFile(path: path, kind: kind, tree: hashed.tree, file: checked))
    } catch {
      throw .io(error)
    }
  }

  /// Removes the part file and journal of a finished file, unless another process or user has them.
  private static func removeLeftovers(of fileID: FileID, in folder: borrowing Directory) {
    let names = [JournalFile.name(of: fileID), PartFile.name(of: fileID)]
    var isThere = false
    for name in names where (try? folder.status(of: name)) != nil { isThere = true }
    guard isThere, let part = try? LockedPart(names[1], in: folder) else { return }
    for name in names { try? folder.remove(name) }
    _ = consume part
  }
}
