// strace, if it is installed: kills a command at one of its system calls, or makes that call fail. (Its --seccomp-bpf
// would be faster, but misses calls of the first thread.)
import Foundation

enum Trace {
  static let isHere: Bool = {
    let workbench = Workbench()
    guard
      let child = try? workbench.start(
        "strace", ["-f", "-o", "/dev/null", "-e", "trace=fsync", "true"])
    else { return false }
    return (try? workbench.ended(child))?.code == 0
  }()

  /// Returns a prefix for commands: kills the process at the Nth call of a name. Each thread counts its own calls.
  static func killing(at call: String, number: Int) -> [String] { injecting(call, "signal=KILL", number) }

  /// Returns a prefix for commands: makes the Nth call of a name fail. Each thread counts its own calls.
  static func failing(_ call: String, _ error: String, number: Int) -> [String] {
    injecting(call, "error=\(error)", number)
  }

  /// Returns a prefix for commands: makes each call of a name fail.
  static func failingAlways(_ call: String, _ error: String) -> [String] { injecting(call, "error=\(error)", nil) }

  private static func injecting(_ call: String, _ what: String, _ number: Int?) -> [String] {
    [
      "strace", "-f", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
      "inject=\(call):\(what)" + (number.map { ":when=\($0)" } ?? ""),
    ]
  }
}
