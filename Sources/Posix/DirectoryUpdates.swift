// Calls for the update of a folder: its lock, and the targets of its names.
import CLinux
import Glibc

extension Directory {
  /// Takes the exclusive lock of this folder without waiting. Returns false if another open descriptor of the folder
  /// holds it. Closing the last duplicate of this descriptor releases it. The corresponding C function is `flock` with
  /// LOCK_EX | LOCK_NB.
  public func tryLock() throws(Errno) -> Bool {
    try retryingUnlessBlocked("flock", path) { flock(descriptor.number, LOCK_EX | LOCK_NB) } != nil
  }

  /// Releases the lock. The corresponding C function is `flock` with LOCK_UN.
  public func unlock() throws(Errno) { _ = try retrying("flock", path) { flock(descriptor.number, LOCK_UN) } }

  /// Returns the status of a path's target. Follows links, even out of this folder. The corresponding C function is
  /// `fstatat`.
  public func status(following relativePath: String) throws(Errno) -> FileStatus {
    try checkNoNul(relativePath, "fstatat")
    var raw = stat()
    _ = try retrying("fstatat", path(of: relativePath)) { fstatat(descriptor.number, relativePath, &raw, 0) }
    return FileStatus(raw)
  }
}
