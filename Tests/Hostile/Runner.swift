// Runs cases: rate-limited ones in parallel, those that measure speed one after another.
import Glibc
import Posix
import Synchronization

/// Prints a line for each case when it ends, and the counts at the end.
final class Runner: Sendable {
  private struct Tally {
    var next = 0
    var passed = 0
    var failed = 0
    /// Names of failed cases, by the promise that did not hold.
    var failures: [String: [String]] = [:]
  }

  private let settings: Settings
  private let cases: [Case]
  private let lanes: Int
  private let nameWidth: Int
  private let tally = Mutex(Tally())

  init(_ settings: Settings, _ cases: [Case], lanes: Int) {
    (self.settings, self.cases, self.lanes) = (settings, cases, lanes)
    nameWidth = cases.map(\.name.count).max() ?? 0
  }

  /// Runs all cases. Returns whether all of them passed.
  func run() -> Bool {
    let began = Clock.seconds
    say("      \(padded("case", nameWidth)) \(Outcome.header) \(padded("whole", 7, isLeading: true))")
    let crowd = cases.filter { !$0.isAlone }
    Samples.shared.measure(Set(crowd.compactMap(\.size)), settings)
    let threads = (0..<min(lanes, crowd.count)).map { _ in
      Posix.Thread.start(name: "lane") {
        while let place = self.takeNext(of: crowd.count) { self.perform(crowd[place]) }
      }
    }
    for thread in threads { thread.join() }
    let crowdSeconds = Clock.seconds - began
    let common = Bench(settings)
    for hostile in cases where hostile.isAlone { perform(hostile, common) }
    common.end()
    let (passed, failed, failures) = tally.withLock { ($0.passed, $0.failed, $0.failures) }
    if !failures.isEmpty { say("") }
    for (promise, names) in failures.sorted(by: { $0.key < $1.key }) {
      say("  not so: \(promise)")
      for name in names { say("    \(name)") }
    }
    let seconds = Clock.seconds - began
    say("\nhostile: \(decimal(seconds, 0)) s, of which \(decimal(crowdSeconds, 0)) s side by side")
    say("tests: \(passed) passed, \(failed) failed, 0 skipped")
    return failed == 0 && passed > 0
  }

  private func takeNext(of count: Int) -> Int? {
    tally.withLock { tally in
      guard tally.next < count else { return nil }
      tally.next += 1
      return tally.next - 1
    }
  }

  private func perform(_ hostile: Case, _ common: Bench? = nil) {
    var outcome = Outcome()
    let bench = Bench(settings, common: common)
    let began = Clock.seconds
    do { outcome = try hostile.run(bench) } catch { outcome.broken.append("\(error)") }
    bench.end()
    let whole = padded(decimal(Clock.seconds - began, 2), 7, isLeading: true)
    let isPassed = outcome.broken.isEmpty
    let notes = (outcome.broken + (outcome.note.isEmpty ? [] : [outcome.note])).joined(separator: "; ")
    say("\(isPassed ? "ok   " : "FAIL ") \(padded(hostile.name, nameWidth)) \(outcome.columns) \(whole)  \(notes)")
    tally.withLock { tally in
      if isPassed {
        tally.passed += 1
      } else {
        tally.failed += 1
        tally.failures[hostile.promise, default: []].append(
          "\(hostile.name): \(outcome.broken.joined(separator: "; "))")
      }
    }
  }
}

/// The clock of the cases.
enum Clock {
  private static let began = ContinuousClock.now

  /// Seconds since the program began.
  static var seconds: Double {
    let time = (ContinuousClock.now - began).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
  }
}

/// Prints a line at once, even if stdout is a file.
func say(_ line: String) {
  print(line)
  fflush(nil)
}
