// What the processor supports, and how to limit a child to one core.
import Foundation

enum Processor {
  /// Whether `--cipher aes` works here.
  static let hasAES =
    (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.contains(#/\baes\b/#) == true

  /// A prefix for commands: runs them on one core, so that hashing takes a measurable time.
  static let onlyOne: [String] = {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let allowed = status.firstMatch(of: #/Cpus_allowed_list:\s*(\d+)/#)
    return ["taskset", "--cpu-list", String(allowed?.1 ?? "0")]
  }()
}
