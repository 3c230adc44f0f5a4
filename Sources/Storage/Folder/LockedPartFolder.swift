// Gets a part folder for this process alone: makes it or takes it over, locks it, and checks that it still has its
// name.
import Content
import Posix

/// An open and locked part folder: `.<first 16 hex digits of the folder's ID>.p2p-part`, mode 0700.
struct LockedPartFolder: ~Copyable {
  /// The most tries. Each one fails if another process takes or frees the name meanwhile.
  private static let attemptsMax = 16

  /// The lock file in the part folder.
  let lock: LockedPart
  /// The folder that contains the part folder. The output will be made there too.
  let parent: Directory
  let folder: Directory
  let name: String

  init(_ name: String, inFolder folderPath: String) throws(PartFileError) {
    let parent: Directory
    do throws(Errno) { parent = try Directory(folderPath) } catch { throw .cannotCreate(error) }
    try self.init(name, in: parent)
  }

  init(_ name: String, in parent: consuming Directory) throws(PartFileError) {
    for _ in 0..<LockedPartFolder.attemptsMax {
      try LockedPartFolder.make(name, in: parent)
      guard let folder = try LockedPartFolder.open(name, in: parent) else { continue }
      guard let lock = try LockedPartFolder.lock(folder) else { continue }
      guard try LockedPartFolder.hasName(folder, name, in: parent) else { continue }
      self.lock = lock
      self.folder = folder
      self.parent = parent
      self.name = name
      return
    }
    throw .running(path: parent.path(of: name))
  }

  static func make(_ name: String, in parent: borrowing Directory) throws(PartFileError) {
    do throws(Errno) { try parent.makeDirectory(name, mode: 0o700) } catch {
      if error.code == Errno.exists { return }
      throw error.isDiskFull ? .diskFull(path: parent.path(of: name), byteCount: 0) : .cannotCreate(error)
    }
  }

  /// Opens a part folder. Nil if the name no longer exists. Throws if this program did not make it for this user.
  static func open(_ name: String, in parent: borrowing Directory) throws(PartFileError) -> Directory? {
    let path = parent.path(of: name)
    let folder: Directory
    do throws(Errno) { folder = try parent.openDirectory(beneath: name) } catch {
      switch error.code {
      case Errno.noEntry: return nil
      case Errno.symbolicLink: throw .foreign(path: path, what: "a symbolic link")
      case Errno.notFolder: throw .foreign(path: path, what: "not a folder")
      default: throw .cannotCreate(error)
      }
    }
    let status: FileStatus
    do throws(Errno) { status = try folder.status() } catch { throw .cannotCreate(error) }
    guard status.owner == Environment.userID else { throw .foreign(path: path, what: "another user's folder") }
    guard status.mode & 0o777 == 0o700 else { throw .foreign(path: path, what: "a folder that other users may enter") }
    return folder
  }

  /// Locks the part folder. Nil if it was removed meanwhile, because its `get` finished or gave up.
  private static func lock(_ folder: borrowing Directory) throws(PartFileError) -> LockedPart? {
    do throws(PartFileError) { return try LockedPart(PartFolderName.lock, in: folder) } catch {
      switch error {
      case .running: throw .running(path: folder.path)
      case .cannotCreate(let errno) where errno.code == Errno.noEntry: return nil
      default: throw error
      }
    }
  }

  private static func hasName(
    _ folder: borrowing Directory, _ name: String, in parent: borrowing Directory
  ) throws(PartFileError) -> Bool {
    do throws(Errno) { return try parent.status(of: name).identity == folder.status().identity } catch {
      if error.code == Errno.noEntry { return false }
      throw .cannotCreate(error)
    }
  }
}

/// The names in a part folder.
enum PartFolderName {
  /// The unfinished output.
  static let tree = "tree"
  /// The bytes of the listing.
  static let listing = "listing"
  /// The name that a peer suggested for the output.
  static let suggestion = "name"
  /// The name that the output will have.
  static let output = "output"
  /// Drafts of the two names. A killed process may leave them.
  static let suggestionDraft = ".name"
  static let outputDraft = ".output"
  static let journal = "journal"
  /// The file that the download locks.
  static let lock = "lock"
  /// A link that shows whether the file system supports links.
  static let probe = "probe"
}
