// The two clocks of the system: one to measure durations, one for the time of day.
import Glibc

public enum Clock {
  /// Nanoseconds since boot, never set back. The corresponding C function is `clock_gettime(CLOCK_MONOTONIC)`.
  public static var monotonicNanoseconds: Int64 { read(CLOCK_MONOTONIC) }

  /// The time of day in the form of file times. The corresponding C function is `clock_gettime(CLOCK_REALTIME)`.
  public static var fileTime: FileTime {
    let now = wallNanoseconds
    return FileTime(seconds: now / 1_000_000_000, nanoseconds: now % 1_000_000_000)
  }

  /// Nanoseconds since 1970 in UTC. The corresponding C function is `clock_gettime(CLOCK_REALTIME)`.
  public static var wallNanoseconds: Int64 { read(CLOCK_REALTIME) }

  private static func read(_ id: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(id, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
