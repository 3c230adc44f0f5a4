// One row of the table: an attack, the promise that it tests, and what came of it.

/// An attack on a child process. `run` throws where something outside of the attacked program is missing.
struct Case: Sendable {
  let name: String
  /// What holds during and after the attack.
  let promise: String
  /// Whether the short form leaves it out.
  let isLong: Bool
  /// Whether it measures speed or memory, so that nothing else may run beside it.
  let isAlone: Bool
  /// The honest download that it is compared with.
  let size: Size?
  let run: @Sendable (Bench) throws -> Outcome

  init(
    _ name: String, _ promise: String, isLong: Bool = false, isAlone: Bool = false, size: Size? = nil,
    _ run: @escaping @Sendable (Bench) throws -> Outcome
  ) {
    (self.name, self.promise, self.run) = (name, promise, run)
    (self.isLong, self.isAlone, self.size) = (isLong, isAlone, size)
  }

  /// In the order in which they run. Long ones do not come last, where lanes would wait for them.
  static let all: [Case] = contents + eclipses + disks + downloads + strangers + openings + servers
}

/// What a case found. It has passed if `broken` is empty.
struct Outcome: Sendable {
  /// Promises that did not hold, each a few words.
  var broken: [String] = []
  /// Seconds.
  var alone: Double?
  var took: Double?
  var allowed: Double?
  /// The speed of a download under attack over that of one beside the attack.
  var ratio: Double?
  /// Bytes of the attacked process above its base.
  var memory: Int?
  /// Figures of this case alone.
  var note = ""

  static let memoryMax = 64 << 20
  static let ratioMin = 0.7

  mutating func expect(_ holds: Bool, _ otherwise: String) {
    if !holds { broken.append(otherwise) }
  }

  /// Holds the memory against a limit.
  mutating func measured(memory bytes: Int, max limit: Int = Outcome.memoryMax) {
    memory = max(bytes, memory ?? 0)
    expect(bytes <= limit, "memory grew by \(bytes >> 20) MiB")
  }

  /// The figures, in columns.
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

/// A number with so many decimals.
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
