// Returns unused memory of the process to the system.
import CLinux

public enum Memory {
  /// Returns freed memory of all threads to the system. It takes milliseconds: call it rarely, after much work. The
  /// corresponding C function is `malloc_trim`.
  public static func trim() { malloc_trim(0) }
}
