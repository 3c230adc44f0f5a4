// Reads sizes, rates and durations as people write them.

/// A number of bytes, or of bytes a second: `10M` is 10,000,000, `10Mi` is 10,485,760.
package struct ByteSize: Hashable, Sendable {
  package let bytes: UInt64

  package init(bytes: UInt64) { self.bytes = bytes }

  package init?(argument: String) {
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

/// A duration: `30s`, `10m`, `2h`, or `forever`.
package enum Stay: Hashable, Sendable, CustomStringConvertible {
  case seconds(Int64)
  case forever

  /// The duration in the largest unit that is exact.
  package var description: String {
    switch self {
    case .forever: "forever"
    case .seconds(let count) where count > 0 && count.isMultiple(of: 3_600): "\(count / 3_600)h"
    case .seconds(let count) where count > 0 && count.isMultiple(of: 60): "\(count / 60)m"
    case .seconds(let count): "\(count)s"
    }
  }

  package init?(argument: String) {
    if argument == "forever" {
      self = .forever
      return
    }
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600]
    guard let unit = argument.last.flatMap({ units[$0] }) else { return nil }
    let digits = argument.dropLast()
    // At most a year, which also keeps the product from overflowing.
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let count = Int64(digits), count <= 365 * 86_400 / unit
    else { return nil }
    self = .seconds(count * unit)
  }
}
