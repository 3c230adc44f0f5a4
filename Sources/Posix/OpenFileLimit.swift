// How many descriptors the process may have.
import Glibc

public enum OpenFileLimit {
  /// The most that is asked for: far more than the connections and files that a node holds open by default.
  public static let countMax: UInt64 = 65_536

  /// Raises the soft limit to the hard one: a node holds a descriptor a peer. The corresponding C function is
  /// `setrlimit(RLIMIT_NOFILE)`.
  public static func raise() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, rlim_t(countMax))
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}

public enum Process {
  /// Ends the process at once. The corresponding C function is `_exit`.
  public static func exit(_ code: Int32) -> Never { _exit(code) }
}
