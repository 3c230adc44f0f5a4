// Formats sizes, rates and durations for people.

enum Format {
  /// Returns a number with this many digits after the point.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 9e15 else { return "\(value)" }
    let whole = UInt64(scaled / scale)
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let fraction = String(UInt64(scaled) - whole * UInt64(scale))
    return "\(sign)\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
  }

  /// Returns bytes a second in MB/s, where MB is 2^20 bytes as in the log lines. Screens use MiB/s.
  static func speed(_ bytesPerSecond: Double) -> String { fixed(bytesPerSecond / 1_048_576, 2) + " MB/s" }

  /// Returns bytes a second in MiB/s.
  static func rate(_ bytesPerSecond: Double) -> String { fixed(bytesPerSecond / 1_048_576, 2) + " MiB/s" }

  /// Returns a count with its noun: `1 file`, `2 files`.
  static func count(_ count: some BinaryInteger, _ one: String, _ many: String? = nil) -> String {
    "\(count) \(count == 1 ? one : many ?? one + "s")"
  }

  /// Returns a size for people: `1.0 GiB`.
  static func size(_ bytes: UInt64) -> String {
    if bytes < 1 << 10 { return "\(bytes) B" }
    if bytes < 1 << 20 { return fixed(Double(bytes) / 1024, 1) + " KiB" }
    if bytes < 1 << 30 { return fixed(Double(bytes) / 1_048_576, 1) + " MiB" }
    return fixed(Double(bytes) / 1_073_741_824, 1) + " GiB"
  }

  /// Returns MiB a second without the unit, in at most six digits: `84.3`, `0.10`.
  static func megabytes(_ bytesPerSecond: Double) -> String {
    fixed(bytesPerSecond / 1_048_576, bytesPerSecond < 1_048_576 ? 2 : 1)
  }

  /// Returns a share in at most five columns: `12.5%`, `100%`.
  static func share(_ share: Double) -> String {
    share < 1 ? "\(Format.fixed(min(share * 100, 99.9), 1))%" : "100%"
  }

  /// Returns a duration for people: `12s`, `3m 20s`, `2h 05m`, `3d 04h`.
  static func time(seconds: Double) -> String {
    guard seconds.isFinite, seconds < 8_640_000 else { return "over 99d" }
    let all = Int(max(0, seconds).rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if all < 60 { return "\(all)s" }
    if all < 3_600 { return "\(all / 60)m \(two(all % 60))s" }
    if all < 86_400 { return "\(all / 3_600)h \(two(all % 3_600 / 60))m" }
    return "\(all / 86_400)d \(two(all % 86_400 / 3_600))h"
  }

  /// Returns a time in UTC in the form of RFC 3339, with milliseconds: `2026-01-31T23:59:59.999Z`.
  /// - `nanoseconds`: since 1970, before the year 10,000.
  static func utc(nanoseconds: Int64) -> String {
    let milliseconds = max(0, nanoseconds) / 1_000_000
    let (seconds, days) = (milliseconds / 1000 % 86_400, milliseconds / 86_400_000)
    let date = civilDate(daysSince1970: days)
    func digits(_ number: Int64, _ count: Int) -> String {
      let text = "\(number)"
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let day = "\(digits(date.year, 4))-\(digits(date.month, 2))-\(digits(date.day, 2))"
    let time = "\(digits(seconds / 3_600, 2)):\(digits(seconds / 60 % 60, 2)):\(digits(seconds % 60, 2))"
    return "\(day)T\(time).\(digits(milliseconds % 1000, 3))Z"
  }

  /// Returns the date in the Gregorian calendar. Years begin in March here, so that a leap day is the last day of its
  /// year. 400 years have 146,097 days.
  private static func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let days = days + 719_468  // since 1 March of the year 0
    let (era, dayOfEra) = (days / 146_097, days % 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153  // 0 is March
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    return (era * 400 + yearOfEra + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, day)
  }

  static func milliseconds(_ duration: Duration) -> String {
    fixed(seconds(duration) * 1000, 0) + "ms"
  }

  static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }
}
