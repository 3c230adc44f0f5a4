// `p2phostile`: hostile peers on real sockets against the real program. Prints one line for each case.
import ArgumentParser
import Glibc

@main
struct P2PHostile: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "p2phostile",
    abstract:
      "Attacks 'p2pnode serve' and 'p2pnode get' as child processes on this machine, and says what still works.",
    discussion: """
      Each line is a case. 'alone' is the time of a download from the honest source alone, or from a server that is not \
      attacked; 'took' is the time under attack and 'of' the time that is allowed. '+MiB' is the memory (VmHWM) of the \
      attacked process above its base. 'whole' is the time of the whole case, with its preparation and its end. The \
      last line is 'tests: N passed, N failed, N skipped'.
      """)

  @Option(help: "The p2pnode to attack: the one beside this program, unless told.")
  var binary: String?
  @Flag(help: "All cases at their real sizes: about an hour.")
  var long = false
  @Option(help: "Only cases whose name contains this text. May be repeated.")
  var only: [String] = []
  @Option(help: "Rate-limited downloads that run at a time.")
  var lanes = 12
  @Flag(help: "Print the names of the cases and what each of them promises; run none.")
  var list = false

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    let chosen = Case.all.filter { hostile in
      (long || !hostile.isLong) && (only.isEmpty || only.contains { hostile.name.contains($0) })
    }
    if list {
      for hostile in chosen { print("\(hostile.name)\n    \(hostile.promise)") }
      return
    }
    let settings = Settings(binary: try binary ?? Settings.neighbour(), isLong: long)
    guard Runner(settings, chosen, lanes: max(1, lanes)).run() else { throw ExitCode.failure }
  }
}

/// The settings that all cases of a run share.
struct Settings: Sendable {
  let binary: String
  let isLong: Bool

  /// Returns the path of the p2pnode that was built with this program.
  static func neighbour() throws -> String {
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = readlink("/proc/self/exe", &bytes, bytes.count)
    let path = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    let folder = path.split(separator: "/").dropLast().joined(separator: "/")
    let binary = "/\(folder)/p2pnode"
    guard access(binary, X_OK) == 0 else { throw ValidationError("\(binary) is missing: build it, or name one") }
    return binary
  }
}
