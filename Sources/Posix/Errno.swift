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

  public var description: String { subject.isEmpty ? "\(call): \(reason)" : "\(subject): \(reason) (\(call))" }
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
