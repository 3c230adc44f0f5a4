// One row of the table: an attack, the promise that it tests, and the result.

/// An attack on a child process. `run` throws if something outside the attacked program is missing.
struct Case: Sendable {
  let name: String
  /// What must hold during and after the attack.
  let promise: String
  /// Whether a short run leaves the case out.
  let isLong: Bool
  /// Whether the case measures speed or memory, so that nothing else may run at the same time.
  let isAlone: Bool
  /// The size of the honest download to compare with.
  let size: Size?
  let run: @Sendable (Bench) throws -> Outcome

  init(
    _ name: String, _ promise: String, isLong: Bool = false, isAlone: Bool = false, size: Size? = nil,
    _ run: @escaping @Sendable (Bench) throws -> Outcome
  ) {
    (self.name, self.promise, self.run) = (name, promise, run)
    (self.isLong, self.isAlone, self.size) = (isLong, isAlone, size)
  }

  /// All cases in the order in which they run. Long cases do not come last, where lanes would wait for them.
  static let all: [Case] = contents + eclipses + disks + downloads + strangers + openings + servers
}

/// The result of a case. It has passed if `broken` is empty.
struct Outcome: Sendable {
  /// The promises that did not hold, each in a few words.
  var broken: [String] = []
  /// Times in seconds.
  var alone: Double?
  var took: Double?
  var allowed: Double?
  /// The speed of a download under attack divided by the speed of one beside the attack.
  var ratio: Double?
  /// The growth of the attacked process's memory, in bytes.
  var memory: Int?
  /// Further figures of this case.
  var note = ""

  static let memoryMax = 64 << 20
  static let ratioMin = 0.7

  mutating func expect(_ holds: Bool, _ otherwise: String) {
    if !holds { broken.append(otherwise) }
  }

  /// Compares the memory with a limit.
  mutating func measured(memory bytes: Int, max limit: Int = Outcome.memoryMax) {
    memory = max(bytes, memory ?? 0)
    expect(bytes <= limit, "memory grew by \(bytes >> 20) MiB")
  }

  /// The figures as columns.
  var columns: String {
    let cells = [
      seconds(alone), seconds(took), seconds(allowed), ratio.map { decimal($0, 2) } ?? "-",
      memory.map { "\($0 >> 20)" } ?? "-",
    ]
    return cells.map { padded($0, 7, isLeading: true) }.joined(separator: " ")
  }

  static let header = ["alone", "took", "of", "ratio", "+MiB"].map { padded($0, 7, isLeading: true) }.joined(
    separator: " ")

  private func seconds(_ value: Double?) -> String { value.map { decimal($0, 2) } ?? "-" }
}

/// Formats a number with `places` decimals.
func decimal(_ value: Double, _ places: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
  var scale = 1.0
  for _ in 0..<places { scale *= 10 }
  let whole = Int((abs(value) * scale).rounded())
  let digits = String(whole)
  let filled = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
  let sign = value < 0 ? "-" : ""
  return places == 0 ? sign + filled : "\(sign)\(filled.dropLast(places)).\(filled.suffix(places))"
}

func padded(_ text: String, _ width: Int, isLeading: Bool = false) -> String {
  let spaces = String(repeating: " ", count: max(0, width - text.count))
  return isLeading ? spaces + text : text + spaces
}
