// Keeps a log short if events of a kind can be very many: ends of connections, files of a folder.

/// Allows a number of lines in each minute and counts the others. Times are those of `Clock.monotonicNanoseconds`.
struct LineRate {
  private static let minuteNanoseconds: Int64 = 60_000_000_000

  let perMinuteMax: Int
  private var minuteBegan: Int64?
  private var told = 0
  private(set) var leftOut = 0

  init(perMinuteMax: Int) { self.perMinuteMax = perMinuteMax }

  /// Strangers can cause any number of ends. This many lines are more than a healthy download has peers, and 6 KB a
  /// minute.
  static var ofConnectionEnds: LineRate { LineRate(perMinuteMax: 60) }

  /// This many lines leave room for a screen below them.
  static var ofFiles: LineRate { LineRate(perMinuteMax: 20) }

  /// Counts an event. Returns whether to print a line for it, and how many events before it got none.
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

  /// Returns how many events were left out since the last call.
  mutating func takeLeftOut() -> Int {
    defer { leftOut = 0 }
    return leftOut
  }
}
