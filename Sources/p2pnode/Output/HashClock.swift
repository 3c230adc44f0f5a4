// Decides when to report the progress of hashing, and estimates the time left. Uses only numbers.
import Storage

/// The progress of hashing at one moment.
struct HashReport: Hashable, Sendable {
  let progress: HashProgress
  /// The time left at the mean speed so far. Nil while it is unknown.
  let secondsLeft: Double?
  /// Whether a log or a program gets a report now.
  let isDue: Bool

  /// `1.2 GiB of 10.0 GiB (12.0%), 40s left`
  var words: String {
    let share = progress.bytesTotal == 0 ? 1 : Double(progress.bytesDone) / Double(progress.bytesTotal)
    let bytes = "\(Format.size(progress.bytesDone)) of \(Format.size(progress.bytesTotal)) (\(Format.share(share)))"
    return bytes + (secondsLeft.map { ", \(Format.time(seconds: $0)) left" } ?? "")
  }
}

/// The clock of one hashing run. Times are those of `Clock.monotonicNanoseconds`.
struct HashClock {
  /// Before this time has passed, a mean speed is not reliable.
  private static let leastNanoseconds: Int64 = 1_000_000_000

  private let intervalNanoseconds: Int64
  private let delayNanoseconds: Int64
  private var began: (nanoseconds: Int64, bytes: UInt64)?
  private var latest: HashProgress?
  private var dueNanoseconds: Int64 = 0

  private init(delayNanoseconds: Int64, intervalNanoseconds: Int64) {
    (self.delayNanoseconds, self.intervalNanoseconds) = (delayNanoseconds, intervalNanoseconds)
  }

  /// For a log: a line every ten seconds, the first after five.
  static var ofLog: HashClock { HashClock(delayNanoseconds: 5_000_000_000, intervalNanoseconds: 10_000_000_000) }
  /// For a program: a report at once, then twice a second.
  static var ofProgram: HashClock { HashClock(delayNanoseconds: 0, intervalNanoseconds: 500_000_000) }

  /// - `progress`: may be older than the one before, because several threads hash.
  mutating func report(_ progress: HashProgress, at nanoseconds: Int64) -> HashReport {
    let start = began ?? (nanoseconds, progress.bytesDone)
    if began == nil { dueNanoseconds = nanoseconds + delayNanoseconds }
    began = start
    let newest = latest.map { $0.bytesDone > progress.bytesDone ? $0 : progress } ?? progress
    latest = newest
    let isDue = nanoseconds >= dueNanoseconds
    if isDue { dueNanoseconds = nanoseconds + intervalNanoseconds }
    return HashReport(progress: newest, secondsLeft: secondsLeft(newest, since: start, at: nanoseconds), isDue: isDue)
  }

  private func secondsLeft(
    _ progress: HashProgress, since start: (nanoseconds: Int64, bytes: UInt64), at nanoseconds: Int64
  ) -> Double? {
    let passed = nanoseconds - start.nanoseconds
    guard passed >= HashClock.leastNanoseconds, progress.bytesDone > start.bytes,
      progress.bytesTotal >= progress.bytesDone
    else { return nil }
    let bytesPerSecond = Double(progress.bytesDone - start.bytes) / (Double(passed) / 1e9)
    return Double(progress.bytesTotal - progress.bytesDone) / bytesPerSecond
  }
}
