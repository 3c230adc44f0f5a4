// Memory that the process has and does not use.
import CLinux

public enum Memory {
  /// Gives memory that was freed back to the system, from all threads. It takes milliseconds: after much work, not often.
  /// The corresponding C function is `malloc_trim`.
  public static func trim() { malloc_trim(0) }
}
