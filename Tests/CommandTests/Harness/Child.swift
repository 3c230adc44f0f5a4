// A process that a test started. Its workbench reads its output while the test waits, and kills it when the test is
// over.
import Foundation

final class Child: CustomStringConvertible {
  enum Stream { case stdout, stderr }

  let command: String
  private(set) var pid: pid_t?
  var stdout: Output
  var stderr: Output
  /// The exit code, or the negative number of the signal that killed it. Nil while it runs.
  private(set) var code: Int32?

  /// Starts a program. No signal is ignored or blocked, and it inherits only two pipes.
  init(_ program: String, _ arguments: [String], environment: [String: String], folder: String) throws {
    command = ([URL(fileURLWithPath: program).lastPathComponent] + arguments).joined(separator: " ")
    let (out, outWriting) = try Child.makePipe()
    let (err, errWriting) = try Child.makePipe()
    (stdout, stderr) = (Output(descriptor: out), Output(descriptor: err))
    defer { for descriptor in [outWriting, errWriting] { close(descriptor) } }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, outWriting, 1)
    posix_spawn_file_actions_adddup2(&actions, errWriting, 2)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for signal in [SIGINT, SIGTERM, SIGPIPE] { sigaddset(&signals, signal) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    // Swift's Glibc lacks the call that would change the folder, so a shell changes it and then becomes the program.
    var argv = (["sh", "-c", #"cd -- "$0" && exec "$@""#, folder, program] + arguments).map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var started: pid_t = 0
    let error = posix_spawnp(&started, "sh", &actions, &attributes, &argv, &envp)
    guard error == 0 else {
      stdout.close()
      stderr.close()
      throw Unexpected("\(program): \(String(cString: strerror(error)))")
    }
    pid = started
  }

  /// Makes a pair of sockets. Unlike pipes, they can be made so that no other child inherits them.
  private static func makePipe() throws -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [0, 0]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw Unexpected("socketpair: \(String(cString: strerror(errno)))")
    }
    return (ends[0], ends[1])
  }

  /// The number of bytes that its write calls accepted so far, to files and pipes. 0 after its end.
  var writtenBytes: Int {
    guard let pid, let text = try? String(contentsOfFile: "/proc/\(pid)/io", encoding: .utf8) else { return 0 }
    return text.firstMatch(of: #/wchar: (\d+)/#).flatMap { Int($0.1) } ?? 0
  }

  func signal(_ number: Int32) { if let pid { kill(pid, number) } }

  /// Collects the exit code once both streams have ended: then the process is ending too.
  func collectIfEnded() {
    guard let pid, stdout.descriptor == nil, stderr.descriptor == nil else { return }
    reap(pid)
  }

  /// Kills it.
  func end() {
    stdout.close()
    stderr.close()
    guard let pid else { return }
    kill(pid, SIGKILL)
    reap(pid)
  }

  private func reap(_ pid: pid_t) {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) == -1 && errno == EINTR {}
    self.pid = nil
    code = status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
  }

  /// For the messages of failed expectations.
  var description: String {
    let end = code.map { "ended with \($0)" } ?? "runs"
    return "\(command.debugDescription)\n\(end)\n--- stdout\n\(stdout)\n--- stderr\n\(stderr)\n---"
  }
}

/// A condition of a test was not met.
struct Unexpected: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
