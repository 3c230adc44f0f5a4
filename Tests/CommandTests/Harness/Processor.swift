// What the processor can do, and how to give a child less of it.
import Foundation

enum Processor {
  /// Whether `--cipher aes` is possible here.
  static let hasAES =
    (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.contains(#/\baes\b/#) == true

  /// Before a command: on one processor alone, so that hashing takes a time that can be told from none.
  static let onlyOne: [String] = {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let allowed = status.firstMatch(of: #/Cpus_allowed_list:\s*(\d+)/#)
    return ["taskset", "--cpu-list", String(allowed?.1 ?? "0")]
  }()
}
