// An open descriptor with one owner: closed when the owner goes, never twice.
import Glibc

/// Owns a descriptor. Closing it cannot be forgotten; using it after it was closed does not compile.
public struct FileDescriptor: ~Copyable, Sendable {
  /// The number, for calls within Posix; nobody keeps it longer than the owner lives.
  public let number: Int32

  /// Takes over an open descriptor.
  public init(owning number: Int32) {
    precondition(number >= 0, "not a descriptor")
    self.number = number
  }

  deinit { close(number) }

  /// Gives the descriptor away without closing it.
  public consuming func release() -> Int32 {
    let number = self.number
    discard self
    return number
  }
}
