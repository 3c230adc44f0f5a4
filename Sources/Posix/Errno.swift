// Failures of system calls as values: which call, on what, and why.
import CLinux
import Glibc

/// A system call that failed, with the errno it left.
public struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
  /// The errno value, such as ENOENT.
  public let code: Int32
  /// The call's name, such as "openat2".
  public let call: String
  /// What it was done to: a path, an address; empty where there is nothing to say.
  public let subject: String

  public init(code: Int32, call: String, subject: String = "") {
    self.code = code
    self.call = call
    self.subject = subject
  }

  /// The system's words for the code, such as "No such file or directory".
  public var reason: String { String(cString: strerror(code)) }

  public var description: String { subject.isEmpty ? "\(call): \(reason)" : "\(subject): \(reason)" }
}

/// Calls until the result is not EINTR; a result of −1 becomes an `Errno`.
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

/// As `retrying`, but "would block" is a value: nil.
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

// The codes by which targets above Posix decide.
extension Errno {
  /// ENOENT: no such file or folder.
  public static var noEntry: Int32 { ENOENT }
  /// EEXIST: the name is taken.
  public static var exists: Int32 { EEXIST }
  /// EINVAL: not possible with such arguments, or on this file system.
  public static var invalid: Int32 { EINVAL }
  /// EBADF: closed, or not open for this.
  public static var badDescriptor: Int32 { EBADF }
  /// ENOSYS: the kernel does not know the call.
  public static var notImplemented: Int32 { ENOSYS }
  /// EOPNOTSUPP: the file system does not know the call.
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
  /// EPERM: not for this user, or the file system does not know such a thing.
  public static var notPermitted: Int32 { EPERM }
  /// ENXIO: a FIFO that no process reads.
  public static var noReader: Int32 { ENXIO }
  /// ECANCELED: the caller wants it no longer.
  public static var cancelled: Int32 { ECANCELED }
  /// EPIPE: the other end reads no more.
  public static var brokenPipe: Int32 { EPIPE }
  /// EALREADY: the same was asked before.
  public static var already: Int32 { EALREADY }
  /// EXDEV: the path leads out of the folder.
  public static var leavesFolder: Int32 { EXDEV }

  /// ENOSPC, EDQUOT: no room on the disk, or for this user.
  public var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }
  /// EMFILE, ENFILE, ENOMEM: goes by when others let go.
  public var isShortage: Bool { code == EMFILE || code == ENFILE || code == ENOMEM }
  /// ECONNREFUSED: nobody listens there.
  public var isRefusal: Bool { code == ECONNREFUSED }
  /// EADDRINUSE: another socket has the port.
  public var isAddressInUse: Bool { code == EADDRINUSE }
  /// EPIPE, ECONNRESET: the other end has closed the connection.
  public var isClosedByPeer: Bool { code == EPIPE || code == ECONNRESET }
  /// ETIMEDOUT: no answer.
  public var isTimeout: Bool { code == ETIMEDOUT }
  /// EACCES, EPERM: not for this user.
  public var isPermission: Bool { code == EACCES || code == EPERM }
  /// EIO: the device failed.
  public var isInputOutput: Bool { code == EIO }

  /// For a wait that we ended ourselves.
  public static func timedOut(_ call: String, _ subject: String) -> Errno {
    Errno(code: ETIMEDOUT, call: call, subject: subject)
  }

  /// For a connection that is gone without the system saying why.
  public static func reset(_ call: String, _ subject: String) -> Errno {
    Errno(code: ECONNRESET, call: call, subject: subject)
  }
}
