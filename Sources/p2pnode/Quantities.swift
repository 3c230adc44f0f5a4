// Sizes, rates and durations as people write and read them.
import ArgumentParser

/// Bytes, or bytes a second: `10M` is 10,000,000, `10Mi` is 10,485,760.
struct ByteSize: ExpressibleByArgument, Hashable, Sendable {
  let bytes: UInt64

  init(bytes: UInt64) { self.bytes = bytes }

  init?(argument: String) {
    var text = Substring(argument)
    var unit: UInt64 = 1
    let units: [(String, UInt64)] = [
      ("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000),
    ]
    for (suffix, value) in units where text.hasSuffix(suffix) {
      text.removeLast(suffix.count)
      unit = value
      break
    }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let areDigits = parts.allSatisfy { part in
      !part.isEmpty && part.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }
    guard areDigits, parts.count <= 2, let number = Double(String(text)), number * Double(unit) < 1e18 else {
      return nil
    }
    bytes = UInt64((number * Double(unit)).rounded())
  }
}

/// How long: `30s`, `10m`, `2h`, or `forever`.
enum Stay: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
  case seconds(Int64)
  case forever

  /// As it is given, in the largest unit that says it exactly.
  var description: String {
    switch self {
    case .forever: "forever"
    case .seconds(let count) where count > 0 && count.isMultiple(of: 3_600): "\(count / 3_600)h"
    case .seconds(let count) where count > 0 && count.isMultiple(of: 60): "\(count / 60)m"
    case .seconds(let count): "\(count)s"
    }
  }

  init?(argument: String) {
    if argument == "forever" {
      self = .forever
      return
    }
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600]
    guard let unit = argument.last.flatMap({ units[$0] }) else { return nil }
    let digits = argument.dropLast()
    // A year at most, which also keeps the product small.
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let count = Int64(digits), count <= 365 * 86_400 / unit
    else { return nil }
    self = .seconds(count * unit)
  }

  /// Arguments in which `--keep-serving` has its value: the parser knows no option whose value may be left out and is
  /// never taken from what follows.
  static func completed(_ arguments: [String]) -> [String] {
    var completed: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument == "--keep-serving" else {
        completed.append(argument)
        if argument == "--" { return completed + rest }
        continue
      }
      let isNext = rest.first.flatMap(Stay.init(argument:)) != nil
      completed.append("\(argument)=\(isNext ? rest.removeFirst() : "forever")")
    }
    return completed
  }
}

enum Format {
  /// With so many digits after the point.
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

  /// Bytes a second in MB/s, where MB is 2^20 bytes as in all the log lines.
  static func speed(_ bytesPerSecond: Double) -> String { fixed(bytesPerSecond / 1_048_576, 2) + " MB/s" }

  /// Bytes for people: `1.0 GiB`.
  static func size(_ bytes: UInt64) -> String {
    if bytes < 1 << 10 { return "\(bytes) B" }
    if bytes < 1 << 20 { return fixed(Double(bytes) / 1024, 1) + " KiB" }
    if bytes < 1 << 30 { return fixed(Double(bytes) / 1_048_576, 1) + " MiB" }
    return fixed(Double(bytes) / 1_073_741_824, 1) + " GiB"
  }

  /// The number alone, of at most six digits: `84.3`, `0.10`.
  static func megabytes(_ bytesPerSecond: Double) -> String {
    fixed(bytesPerSecond / 1_048_576, bytesPerSecond < 1_048_576 ? 2 : 1)
  }

  /// Of at most five columns: `12.5%`, `100%`.
  static func share(_ share: Double) -> String { share < 0.9995 ? "\(Format.fixed(share * 100, 1))%" : "100%" }

  /// For people: `12s`, `3m 20s`, `2h 05m`, `3d 04h`.
  static func time(seconds: Double) -> String {
    guard seconds.isFinite, seconds < 8_640_000 else { return "over 99d" }
    let all = Int(max(0, seconds).rounded())
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if all < 60 { return "\(all)s" }
    if all < 3_600 { return "\(all / 60)m \(two(all % 60))s" }
    if all < 86_400 { return "\(all / 3_600)h \(two(all % 3_600 / 60))m" }
    return "\(all / 86_400)d \(two(all % 86_400 / 3_600))h"
  }

  static func milliseconds(_ duration: Duration) -> String {
    fixed(seconds(duration) * 1000, 0) + "ms"
  }

  static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }
}
