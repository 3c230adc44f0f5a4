// Keeps a log short where there can be any number of events of a kind: ends of connections, files of a folder.

/// Lets so many lines through in a minute, and counts the others. Times are those of `Clock.monotonicNanoseconds`.
struct LineRate {
  private static let minuteNanoseconds: Int64 = 60_000_000_000

  let perMinuteMax: Int
  private var minuteBegan: Int64?
  private var told = 0
  private(set) var leftOut = 0

  init(perMinuteMax: Int) { self.perMinuteMax = perMinuteMax }

  /// Strangers can cause any number of ends. So many are more than the peers of a download that is well, and 6 KB a
  /// minute.
  static var ofConnectionEnds: LineRate { LineRate(perMinuteMax: 60) }

  /// So many lines leave room for a screen below them.
  static var ofFiles: LineRate { LineRate(perMinuteMax: 20) }

  /// Another event: whether it gets a line, and how many events before it got none.
  mutating func next(at nanoseconds: Int64) -> (isTold: Bool, leftOutBefore: Int) {
    if minuteBegan.map({ nanoseconds - $0 >= LineRate.minuteNanoseconds }) ?? true {
      (minuteBegan, told) = (nanoseconds, 0)
    }
    guard told < perMinuteMax else {
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
