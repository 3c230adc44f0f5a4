// The limit of open descriptors of this process.
import Glibc

public enum OpenFileLimit {
  /// The most that `raise` asks for: far more than the connections and files that a node opens by default. A higher
  /// limit is not lowered.
  public static let countMax: UInt64 = 65_536
  /// The usual limit, assumed if the system does not report one.
  private static let assumed = 1_024

  /// Raises the soft limit towards the hard one, since a node needs a descriptor per peer. That is safe: the soft limit
  /// is low for `select`, which this program never calls. The corresponding C function is `setrlimit(RLIMIT_NOFILE)`.
  public static func raise() {
    guard var limit = read() else { return }
    limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, rlim_t(countMax)))
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// The number of descriptors that the process may have: the soft limit. The corresponding C function is
  /// `getrlimit(RLIMIT_NOFILE)`.
  public static var current: Int { read().map { Int(clamping: $0.rlim_cur) } ?? assumed }

  private static func read() -> rlimit? {
    var limit = rlimit()
    return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? limit : nil
  }
}

public enum Process {
  /// Ends the process at once. The corresponding C function is `_exit`.
  public static func exit(_ code: Int32) -> Never { _exit(code) }
}
