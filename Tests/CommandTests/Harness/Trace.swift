// strace, where it is: kills a command at one of its system calls, or lets that call fail. (Its --seccomp-bpf would be
// quicker, but misses calls of the first thread.)
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

  /// Before a command: the Nth call of a name, counted in each thread, is not made; the process is killed instead.
  static func killing(at call: String, number: Int) -> [String] { injecting(call, "signal=KILL", number) }

  /// Before a command: the Nth call of a name, counted in each thread, fails.
  static func failing(_ call: String, _ error: String, number: Int) -> [String] {
    injecting(call, "error=\(error)", number)
  }

  /// Before a command: every call of a name fails.
  static func failingAlways(_ call: String, _ error: String) -> [String] { injecting(call, "error=\(error)", nil) }

  private static func injecting(_ call: String, _ what: String, _ number: Int?) -> [String] {
    [
      "strace", "-f", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
      "inject=\(call):\(what)" + (number.map { ":when=\($0)" } ?? ""),
    ]
  }
}
