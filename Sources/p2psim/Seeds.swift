// `p2psim --seed`, `--seeds`, `--count`: runs seeds, and prints the command that repeats a failing one.
import ArgumentParser
import Simulation

struct Seeds: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Plays one getter and its peers, with all their faults, for each seed.")

  @Option(help: "Run this seed alone.")
  var seed: UInt64?

  @Flag(help: "With --seed: print everything that happens.")
  var trace = false

  @Option(help: ArgumentHelp("Run the seeds of a range.", valueName: "from..<to"))
  var seeds: SeedRange?

  @Option(help: "How many seeds to run.")
  var count: UInt64 = 1000

  @Option(help: "The first seed to run.")
  var from: UInt64 = 0

  @Flag(help: "Print a line for each seed, before and after it is run.")
  var each = false

  mutating func validate() throws {
    if trace && seed == nil { throw ValidationError("--trace prints one run: give its --seed") }
    if seed != nil && seeds != nil { throw ValidationError("--seed and --seeds exclude one another") }
    if from.addingReportingOverflow(count).overflow { throw ValidationError("there are no such seeds") }
  }

  func run() throws {
    if let seed {
      let outcome = Simulation.run(seed: seed, isTraced: trace)
      for line in outcome.trace ?? [] { print(line) }
      print("seed \(seed): \(outcome.ending) after \(outcome.virtualSeconds) virtual seconds, \(outcome.events) events")
      if let violation = outcome.violation { throw failed(seed, violation) }
      return
    }
    try run(seeds?.range ?? from..<from + count)
  }

  private func run(_ range: Range<UInt64>) throws {
    var endings: [String: Int] = [:]
    var faults: [Fault: Int] = [:]
    var virtualSeconds = 0.0
    for seed in range {
      if each { print("seed \(seed)", terminator: ": ") }
      let isRepeated = seed % 100 == 0
      let outcome = Simulation.run(seed: seed, isTraced: isRepeated)
      if each { print(outcome.violation ?? outcome.ending) }
      if let violation = outcome.violation { throw failed(seed, violation) }
      if isRepeated, Simulation.run(seed: seed, isTraced: true).trace != outcome.trace {
        throw failed(seed, "two runs of it differ")
      }
      endings[outcome.ending, default: 0] += 1
      for fault in outcome.faults { faults[fault, default: 0] += 1 }
      virtualSeconds += outcome.virtualSeconds
    }
    print("\(range.count) seeds, \(Int(virtualSeconds)) virtual seconds, \(faults.count) kinds of fault")
    print(endings.sorted { $0.value > $1.value }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
  }

  private func failed(_ seed: UInt64, _ violation: String) -> ExitCode {
    print("seed \(seed) breaks a rule: \(violation)")
    print("  p2psim --seed \(seed) --trace")
    return ExitCode(1)
  }
}

/// A range of seeds: `FROM..<TO`.
struct SeedRange: ExpressibleByArgument {
  let range: Range<UInt64>

  init?(argument: String) {
    let ends = argument.split(separator: "..<", omittingEmptySubsequences: false).map { UInt64($0) }
    guard ends.count == 2, let from = ends[0], let to = ends[1], from <= to else { return nil }
    range = from..<to
  }
}
