// Stores each value that many rows share once.

/// Gives each value a small number, which stays valid while a row uses it.
struct Interned<Value: Hashable> {
  private var numbers: [Value: UInt32] = [:]
  private var values: [(value: Value, useCount: Int)] = []
  private var free: [UInt32] = []
  /// The number that was returned last. Neighbouring rows often share a value, so it is tried first.
  private var latest: UInt32 = 0

  /// Returns the number of a value and counts one more use.
  mutating func retain(_ value: Value) -> UInt32 {
    if let number = number(of: value) {
      values[Int(number)].useCount += 1
      latest = number
      return number
    }
    let number: UInt32
    if let freed = free.popLast() {
      number = freed
      values[Int(number)] = (value, 1)
    } else {
      number = UInt32(values.count)
      values.append((value, 1))
    }
    numbers[value] = number
    latest = number
    return number
  }

  mutating func release(_ number: UInt32) {
    values[Int(number)].useCount -= 1
    guard values[Int(number)].useCount == 0 else { return }
    numbers[values[Int(number)].value] = nil
    free.append(number)
  }

  /// Returns the number of a value. Nil if no row uses the value.
  func number(of value: Value) -> UInt32? {
    guard Int(latest) < values.count, values[Int(latest)].useCount > 0, values[Int(latest)].value == value else {
      return numbers[value]
    }
    return latest
  }

  subscript(number: UInt32) -> Value { values[Int(number)].value }

  /// The values in use, with their numbers.
  var used: [Value: UInt32] { numbers }
}

extension Interned: Sendable where Value: Sendable {}
