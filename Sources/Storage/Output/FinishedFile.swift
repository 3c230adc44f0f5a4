// What has the output's name already: perhaps the very file that is wanted.
import Content
import Posix

/// What is found at the place of an output.
public enum PlaceContent: Sendable {
  case nothing
  /// The file that is wanted, hashed and on the disk.
  case wanted(FoundFile)
  case other(path: String, FileKind)
}

/// A file that turned out to be the wanted one.
public struct FoundFile: Sendable {
  public let path: String
  /// What the bytes are: those of a file, or the listing of a folder.
  public let kind: ContentKind
  public let tree: HashTree
  /// It, open; throws on a read once it is no longer what was hashed.
  public let file: CheckedFile
}

extension PartFile {
  /// Whether `content` hashes what has the output's name now; if not, it answers at once.
  public static func isHashed(_ name: String, inFolder folderPath: String, length: UInt64?) -> Bool {
    guard let folder = try? Directory(folderPath), let status = try? folder.status(of: name) else { return false }
    return isCandidate(status, length: length)
  }

  private static func isCandidate(_ status: FileStatus, length: UInt64?) -> Bool {
    status.kind == .regular && (length == nil || length == status.size)
  }

  /// Looks at what has the output's name. A file of the right length (nil: of any) is hashed on all cores; the wanted one is synced,
  /// and what an earlier download left beside it is removed. After `shouldStop` says so the answer is soon there, and of
  /// no meaning.
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
      // It may have got its name a moment before a crash.
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

  /// Removes the part file and journal of a file that is there, unless another process or user has them.
  private static func removeLeftovers(of fileID: FileID, in folder: borrowing Directory) {
    let names = [JournalFile.name(of: fileID), PartFile.name(of: fileID)]
    var isThere = false
    for name in names where (try? folder.status(of: name)) != nil { isThere = true }
    guard isThere, let part = try? LockedPart(names[1], in: folder) else { return }
    for name in names { try? folder.remove(name) }
    _ = consume part
  }
}
