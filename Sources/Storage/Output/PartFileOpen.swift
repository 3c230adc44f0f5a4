// How a part file comes to be ours alone: made exclusively or taken over, locked, and still under its name.
import Posix

/// A part file that is open and locked.
struct LockedPart: ~Copyable {
  /// How often another process may take the name or give it up while we open it.
  private static let attemptsMax = 16

  let file: File
  /// Whether it was there before.
  let isResumed: Bool

  init(_ name: String, in folder: borrowing Directory) throws(PartFileError) {
    for _ in 0..<LockedPart.attemptsMax {
      if let file = try LockedPart.create(name, in: folder) {
        guard try LockedPart.lock(file, name, in: folder) else { continue }
        self.init(file: file, isResumed: false)
        return
      }
      if let file = try LockedPart.openExisting(name, in: folder) {
        try LockedPart.checkOurs(file)
        guard try LockedPart.lock(file, name, in: folder) else { continue }
        self.init(file: file, isResumed: true)
        return
      }
    }
    throw .running(path: folder.path(of: name))
  }

  private init(file: consuming File, isResumed: Bool) {
    self.file = file
    self.isResumed = isResumed
  }

  /// Nil where the name is taken.
  private static func create(_ name: String, in folder: borrowing Directory) throws(PartFileError) -> File? {
    do throws(Errno) {
      return try folder.open(name, [.readWrite, .createExclusive], mode: 0o600)
    } catch {
      if error.code == Errno.exists { return nil }
      throw error.isDiskFull ? .diskFull(path: folder.path(of: name), byteCount: 0) : .cannotCreate(error)
    }
  }

  /// Nil where nothing has the name any more.
  static func openExisting(_ name: String, in folder: borrowing Directory) throws(PartFileError) -> File? {
    do throws(Errno) {
      return try folder.open(name, [.readWrite, .noFollow, .nonBlocking])
    } catch {
      switch error.code {
      case Errno.noEntry: return nil
      case Errno.symbolicLink: throw .foreign(path: error.subject, what: "a symbolic link")
      case Errno.isFolder: throw .foreign(path: error.subject, what: "a folder")
      default: throw .cannotCreate(error)
      }
    }
  }

  /// What an earlier `get` left is a file of ours that has no other name.
  static func checkOurs(_ file: borrowing File) throws(PartFileError) {
    let status: FileStatus
    do throws(Errno) { status = try file.status() } catch { throw .cannotCreate(error) }
    guard status.kind == .regular else { throw .foreign(path: file.path, what: "not a regular file") }
    guard status.owner == Environment.userID else { throw .foreign(path: file.path, what: "another user's file") }
    guard status.linkCount <= 1 else { throw .foreign(path: file.path, what: "also known by another name") }
  }

  /// False where the file lost its name before it was locked: its `get` has just finished, or has given up.
  private static func lock(
    _ file: borrowing File, _ name: String, in folder: borrowing Directory
  ) throws(PartFileError) -> Bool {
    let isLocked: Bool
    do throws(Errno) { isLocked = try file.tryLock() } catch { throw .cannotCreate(error) }
    guard isLocked else { throw .running(path: file.path) }
    do throws(Errno) {
      return try folder.status(of: name).identity == file.status().identity
    } catch {
      if error.code == Errno.noEntry { return false }
      throw .cannotCreate(error)
    }
  }
}
