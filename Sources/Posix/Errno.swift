// Errors of system calls as values: the call, its subject and the reason.
import CLinux
import Glibc

/// The error of a system call.
public struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
  /// The errno value, such as ENOENT.
  public let code: Int32
  /// The call's name, such as "openat2".
  public let call: String
  /// The subject of the call, such as a path or an address; empty if there is none.
  public let subject: String

  public init(code: Int32, call: String, subject: String = "") {
    self.code = code
    self.call = call
    self.subject = subject
  }

  /// The system's text for the code, such as "No such file or directory".
  public var reason: String { String(cString: strerror(code)) }

  public var description: String { subject.isEmpty ? "\(call): \(reason)" : "\(subject): \(reason)" }
}

/// Repeats a call as long as it fails with EINTR. Another result of −1 is thrown as an `Errno`.
@inline(__always)
func retrying<T: FixedWidthInteger>(_ call: String, _ subject: @autoclosure () -> String = "", _ body: () -> T)
  throws(Errno) -> T
{
  while true {
    let result = body()
    if result != -1 { return result }
    let code = errno
    if code == EINTR { continue }
    throw Errno(code: code, call: call, subject: subject())
  }
}

/// Repeats a call like `retrying`, but returns nil if it would block.
@inline(__always)
func retryingUnlessBlocked<T: FixedWidthInteger>(
  _ call: String, _ subject: @autoclosure () -> String = "", _ body: () -> T
) throws(Errno) -> T? {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = errno
    if code == EINTR { continue }
    if code == EAGAIN { return nil }
    throw Errno(code: code, call: call, subject: subject())
  }
}

// The codes that targets above Posix check.
extension Errno {
  /// ENOENT: no such file or folder.
  public static var noEntry: Int32 { ENOENT }
  /// EEXIST: the name is taken.
  public static var exists: Int32 { EEXIST }
  /// EINVAL: not possible with these arguments, or on this file system.
  public static var invalid: Int32 { EINVAL }
  /// EBADF: the descriptor is closed, or not open for this kind of access.
  public static var badDescriptor: Int32 { EBADF }
  /// ENOSYS: the kernel does not support the call.
  public static var notImplemented: Int32 { ENOSYS }
  /// EOPNOTSUPP: the file system does not support the call.
  public static var notSupported: Int32 { EOPNOTSUPP }
  /// EIO: the device failed.
  public static var inputOutput: Int32 { EIO }
  /// ENOTDIR: something on the path is not a folder.
  public static var notFolder: Int32 { ENOTDIR }
  /// EISDIR: a folder where a file should be.
  public static var isFolder: Int32 { EISDIR }
  /// ELOOP: a symbolic link where none may be.
  public static var symbolicLink: Int32 { ELOOP }
  /// ENOTEMPTY: a folder that still holds names.
  public static var notEmpty: Int32 { ENOTEMPTY }
  /// ENAMETOOLONG: longer than the file system allows.
  public static var nameTooLong: Int32 { ENAMETOOLONG }
  /// EPERM: not permitted for this user, or not supported by the file system.
  public static var notPermitted: Int32 { EPERM }
  /// ENXIO: a FIFO that no process reads.
  public static var noReader: Int32 { ENXIO }
  /// ECANCELED: the caller cancelled the operation.
  public static var cancelled: Int32 { ECANCELED }
  /// EPIPE: the reader closed the pipe.
  public static var brokenPipe: Int32 { EPIPE }
  /// EALREADY: the operation was already requested.
  public static var already: Int32 { EALREADY }
  /// EXDEV: the path leads out of the folder.
  public static var leavesFolder: Int32 { EXDEV }

  /// ENOSPC, EDQUOT: no space on the disk, or in this user's quota.
  public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }
  /// EMFILE, ENFILE, ENOMEM: a shortage, which passes when other users of the resource free some.
  public var isShortage: Bool { code == EMFILE || code == ENFILE || code == ENOMEM }
  /// ECONNREFUSED: no process listens there.
  public var isRefusal: Bool { code == ECONNREFUSED }
  /// EADDRINUSE: another socket has the port.
  public var isAddressInUse: Bool { code == EADDRINUSE }
  /// EPIPE, ECONNRESET: the other end has closed the connection.
  public var isClosedByPeer: Bool { code == EPIPE || code == ECONNRESET }
  /// ETIMEDOUT: no answer.
  public var isTimeout: Bool { code == ETIMEDOUT }
  /// EACCES, EPERM: not permitted for this user.
  public var isPermission: Bool { code == EACCES || code == EPERM }
  /// EIO: the device failed.
  public var isInputOutput: Bool { code == EIO }

  /// Makes the error of a wait that this program ended itself.
  public static func timedOut(_ call: String, _ subject: String) -> Errno {
    Errno(code: ETIMEDOUT, call: call, subject: subject)
  }

  /// Makes the error of a connection that ended without a reason from the system.
  public static func reset(_ call: String, _ subject: String) -> Errno {
    Errno(code: ECONNRESET, call: call, subject: subject)
  }
}
