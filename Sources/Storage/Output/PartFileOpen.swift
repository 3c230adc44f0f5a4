// Gets a part file for this process alone: makes it or takes it over, locks it, and checks that it still has its name.
import Posix

/// An open and locked part file.
struct LockedPart: ~Copyable {
  /// The most tries. Each one fails if another process takes or frees the name meanwhile.
  private static let attemptsMax = 16

  let file: File
  /// Whether the file existed before.
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

  /// Makes a file. Nil if the name is taken.
  private static func create(_ name: String, in folder: borrowing Directory) throws(PartFileError) -> File? {
    do throws(Errno) {
      return try folder.open(name, [.readWrite, .createExclusive], mode: 0o600)
    } catch {
      if error.code == Errno.exists { return nil }
      throw error.isDiskFull ? .diskFull(path: folder.path(of: name), byteCount: 0) : .cannotCreate(error)
    }
  }

  /// Opens a file. Nil if the name no longer exists.
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

  /// Throws unless the file is a regular file of this user with one name, as an earlier `get` leaves it.
  static func checkOurs(_ file: borrowing File) throws(PartFileError) {
    let status: FileStatus
    do throws(Errno) { status = try file.status() } catch { throw .cannotCreate(error) }
    guard status.kind == .regular else { throw .foreign(path: file.path, what: "not a regular file") }
    guard status.owner == Environment.userID else { throw .foreign(path: file.path, what: "another user's file") }
    guard status.linkCount <= 1 else { throw .foreign(path: file.path, what: "a file with another hard link") }
  }

  /// Locks a file. Returns false if it lost its name before, because its `get` finished or gave up.
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
