// Starts programs without a shell. They share only the error stream with this process.
import CLinux
import Glibc

/// How a child process ended.
public enum ChildEnd: Hashable, Sendable {
  /// It ended with this exit code.
  case exited(Int32)
  /// This signal killed it.
  case killed(signal: Int32)
}

/// A child process. Exactly one thread calls `wait`; any thread may send a signal.
public final class ChildProcess: Sendable {
  private let number: pid_t
  /// Whether `wait` has reaped the process. Its number may then belong to another process.
  private let isReaped = Monitor(false)

  /// Starts a program. Its input is empty, and its output and errors go to `output`, else to the error stream of this
  /// process. It has no other open file, since all descriptors of this process close on exec. No signal is blocked, and
  /// SIGPIPE and SIGXFSZ have their default actions.
  ///
  /// The corresponding C function is `posix_spawnp`.
  /// - `program`: a path, or a name to look up in PATH.
  /// - `variables`: environment variables to add or replace.
  public init(_ program: String, _ arguments: [String], variables: [String: String], output: ChildOutput? = nil)
    throws(Errno)
  {
    for text in [program] + arguments { try checkNoNul(text, "posix_spawnp") }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Undo what `Signals` has blocked and ignored.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGPIPE)
    sigaddset(&signals, SIGXFSZ)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var child: pid_t = 0
    func spawn(_ end: Int32?) -> Int32 {
      if let end { posix_spawn_file_actions_adddup2(&actions, end, 2) }
      posix_spawn_file_actions_adddup2(&actions, 2, 1)
      return withCStrings([program] + arguments) { argv in
        withCStrings(ChildProcess.environment(with: variables)) { envp in
          posix_spawnp(&child, program, &actions, &attributes, argv, envp)
        }
      }
    }
    let code = output?.handOver(spawn) ?? spawn(nil)
    guard code == 0 else { throw Errno(code: code, call: "posix_spawnp", subject: program) }
    number = child
  }

  /// Blocks until the process has ended. Called once. The corresponding C functions are `waitid` and `waitpid`.
  public func wait() -> ChildEnd {
    var information = siginfo_t()
    // The process stays a zombie until `waitpid`, so that a signal sent meanwhile cannot reach another process.
    while waitid(P_PID, id_t(number), &information, WEXITED | WNOWAIT) != 0 {
      precondition(errno == EINTR, "waitid")
    }
    return isReaped.change { isReaped in
      var status: Int32 = 0
      while waitpid(number, &status, 0) < 0 { precondition(errno == EINTR, "waitpid") }
      isReaped = true
      let signal = status & 0x7F
      return signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
    }
  }

  /// Sends a signal, unless the process has ended. The corresponding C function is `kill`.
  public func send(signal: Int32) { isReaped.change { if !$0 { kill(number, signal) } } }

  /// Returns the environment of this process, with some variables added or replaced.
  private static func environment(with variables: [String: String]) -> [String] {
    var entries: [String] = []
    var place = p2p_environment()
    while let entry = place?.pointee {
      let text = String(cString: entry)
      let name = text.prefix { $0 != "=" }
      if variables[String(name)] == nil { entries.append(text) }
      place = place?.advanced(by: 1)
    }
    return entries + variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  }
}

/// Calls `body` with an array of C strings that ends with nil.
private func withCStrings<Result>(
  _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  var pointers = texts.map { strdup($0) } + [nil]
  defer { for pointer in pointers { free(pointer) } }
  return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
}
