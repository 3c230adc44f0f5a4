// An open descriptor with one owner. It is closed exactly once, when the owner ends.
import Glibc

/// Owns a descriptor. It closes by itself, and using it after that does not compile.
public struct FileDescriptor: ~Copyable, Sendable {
  /// The number, for calls within Posix. Do not keep it longer than the owner lives.
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
