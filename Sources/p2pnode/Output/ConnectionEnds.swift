// The ends of connections that `get` reports one by one: strangers can cause any number of them.

/// Lets so many through in a minute, and counts the others. Times are those of `Clock.monotonicNanoseconds`.
struct ConnectionEnds {
  /// More than the peers of a download that is well, and 6 KB a minute.
  static let perMinuteMax = 60
  private static let minuteNanoseconds: Int64 = 60_000_000_000

  private var minuteBegan: Int64?
  private var told = 0
  private(set) var leftOut = 0

  /// Another connection ended: whether the log says so, and how many ends before it the log left out.
  mutating func next(at nanoseconds: Int64) -> (isTold: Bool, leftOutBefore: Int) {
    if minuteBegan.map({ nanoseconds - $0 >= ConnectionEnds.minuteNanoseconds }) ?? true {
      (minuteBegan, told) = (nanoseconds, 0)
    }
    guard told < ConnectionEnds.perMinuteMax else {
      leftOut += 1
      return (false, 0)
    }
    told += 1
    return (true, takeLeftOut())
  }

  /// How many were left out since this was last asked.
  mutating func takeLeftOut() -> Int {
    defer { leftOut = 0 }
    return leftOut
  }
}
