// Programs that this process starts: without a shell, and with nothing of this process but its error stream.
import CLinux
import Glibc

/// How a child process ended.
public enum ChildEnd: Hashable, Sendable {
  /// With this exit code.
  case exited(Int32)
  /// By this signal.
  case killed(signal: Int32)
}

/// A child process. Exactly one thread waits for it; any thread may send it a signal.
public final class ChildProcess: Sendable {
  private let number: pid_t
  /// After this its number may be that of another process.
  private let isReaped = Monitor(false)

  /// Starts a program. It reads nothing, and both its output and its errors go to the error stream of this process. It has
  /// no other open file: all descriptors of this program close on exec. It gets every signal as the system sets it.
  ///
  /// The corresponding C function is `posix_spawnp`.
  /// - `program`: a path, or a name that is looked up in PATH.
  /// - `variables`: added to the environment, or in place of what it has.
  public init(_ program: String, _ arguments: [String], variables: [String: String]) throws(Errno) {
    for text in [program] + arguments { try checkNoNul(text, "posix_spawnp") }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, 2, 1)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // `Signals` has blocked and ignored some.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGPIPE)
    sigaddset(&signals, SIGXFSZ)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var child: pid_t = 0
    let code = withCStrings([program] + arguments) { argv in
      withCStrings(ChildProcess.environment(with: variables)) { envp in
        posix_spawnp(&child, program, &actions, &attributes, argv, envp)
      }
    }
    guard code == 0 else { throw Errno(code: code, call: "posix_spawnp", subject: program) }
    number = child
  }

  /// Blocks until the process has ended. Called once. The corresponding C functions are `waitid` and `waitpid`.
  public func wait() -> ChildEnd {
    var information = siginfo_t()
    // It stays a zombie here, so that a signal that is sent meanwhile reaches no other process.
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

  /// The environment of this process, with other values for some variables.
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
