// Calls for a folder that is brought to another state: its lock, and what its names lead to.
import CLinux
import Glibc

extension Directory {
  /// Takes the exclusive lock of this open folder without waiting; false if another open folder has it. It goes with the
  /// last descriptor. The corresponding C function is `flock` with LOCK_EX | LOCK_NB.
  public func tryLock() throws(Errno) -> Bool {
    try retryingUnlessBlocked("flock", path) { flock(descriptor.number, LOCK_EX | LOCK_NB) } != nil
  }

  /// Gives the lock back. The corresponding C function is `flock` with LOCK_UN.
  public func unlock() throws(Errno) { _ = try retrying("flock", path) { flock(descriptor.number, LOCK_UN) } }

  /// What a path leads to, over links too, also out of this folder. The corresponding C function is `fstatat`.
  public func status(following relativePath: String) throws(Errno) -> FileStatus {
    try checkNoNul(relativePath, "fstatat")
    var raw = stat()
    _ = try retrying("fstatat", path(of: relativePath)) { fstatat(descriptor.number, relativePath, &raw, 0) }
    return FileStatus(raw)
  }
}
