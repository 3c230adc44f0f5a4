// A process under attack: its exit code, its peak memory and its output.
import Glibc
import TestSupport

/// A condition of a case was not met, without a fault of the attacked program.
struct Missing: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A child process. Confined to the thread of its case. Its output goes to two files, so that it never waits for a
/// reader; or to pipes that nobody reads after a while, as with a reader that stalls.
final class Child {
  let outPath: String
  let errPath: String
  let began = Clock.seconds
  private(set) var pid: pid_t?
  /// The exit code, or the negative number of the signal that killed it. Nil while it runs.
  private(set) var code: Int32?
  /// When it ended, in seconds. As precise as the calls of `look` are frequent.
  private(set) var endedAt: Double?
  /// The highest resident memory that was seen, in bytes.
  private(set) var peakBytes = 0
  /// The read ends of its pipes, if it has pipes.
  private var pipes: [Int32] = []

  /// - `pipes`: whether it writes to pipes, which only `readPipes` reads.
  init(_ command: [String], home: String, outPath: String, errPath: String, in folder: String, pipes: Bool = false)
    throws
  {
    (self.outPath, self.errPath) = (outPath, errPath)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    var writing: [Int32] = []
    if pipes {
      for number in [Int32(1), 2] {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Missing("no pipe") }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        self.pipes.append(ends[0])
        writing.append(ends[1])
        posix_spawn_file_actions_adddup2(&actions, ends[1], number)
      }
    } else {
      let flags = O_WRONLY | O_CREAT | O_APPEND
      posix_spawn_file_actions_addopen(&actions, 1, outPath, flags, 0o644)
      posix_spawn_file_actions_addopen(&actions, 2, errPath, flags, 0o644)
    }
    var environment = [
      "P2PNODE_HOME": home, "P2PNODE_LAN": "off", "SWIFT_BACKTRACE": "enable=no", "LC_ALL": "C.UTF-8",
    ]
    for name in ["PATH", "LD_LIBRARY_PATH", "TMPDIR"] {
      if let value = getenv(name) { environment[name] = String(cString: value) }
    }
    // Swift's Glibc lacks the call that would change the folder, so a shell changes it and then becomes the command.
    let words = ["sh", "-c", #"cd -- "$0" && exec "$@""#, folder] + command
    var argv = words.map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var started: pid_t = 0
    let error = posix_spawnp(&started, "sh", &actions, nil, &argv, &envp)
    for descriptor in writing { close(descriptor) }
    guard error == 0 else { throw Missing("\(command[0]): \(String(cString: strerror(error)))") }
    pid = started
  }

  /// Checks whether it has ended, and its memory.
  @discardableResult func look() -> Bool {
    guard let pid else { return true }
    let peak = Child.peakBytes(of: pid)
    peakBytes = max(peakBytes, peak)
    var status: Int32 = 0
    guard waitpid(pid, &status, WNOHANG) == pid else { return false }
    finish(status)
    return true
  }

  /// Waits until it ends. Nil if it still runs after `seconds`.
  func wait(within seconds: Double) -> Int32? {
    let end = Clock.seconds + seconds
    while !look() && Clock.seconds < end { pause(milliseconds: 5) }
    return code
  }

  func signal(_ number: Int32) { if let pid { kill(pid, number) } }

  /// Kills it.
  func end() {
    if let pid {
      kill(pid, SIGKILL)
      var status: Int32 = 0
      while waitpid(pid, &status, 0) == -1 && errno == EINTR {}
      finish(status)
    }
    for descriptor in pipes { close(descriptor) }
    pipes = []
  }

  /// Returns what both pipes hold now, as one text.
  func readPipes() -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    for descriptor in pipes {
      while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { break }
        bytes += buffer.prefix(count)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  var out: String { text(of: outPath) }
  var err: String { text(of: errPath) }

  /// The last line that it wrote to stderr, for a person.
  var lastWords: String {
    String(err.split(separator: "\n").last.map { $0.suffix(140) } ?? "it said nothing")
  }

  private func finish(_ status: Int32) {
    pid = nil
    endedAt = Clock.seconds
    code = status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
  }

  /// VmHWM of a process, in bytes. 0 if the process has ended.
  private static func peakBytes(of pid: pid_t) -> Int {
    for line in text(of: "/proc/\(pid)/status").split(separator: "\n") where line.hasPrefix("VmHWM:") {
      return (Int(line.dropFirst(6).filter(\.isNumber)) ?? 0) << 10
    }
    return 0
  }
}

/// Returns the text of a file. Empty if it cannot be read.
func text(of path: String) -> String {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return "" }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 14)
  while true {
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
    bytes += buffer.prefix(count)
  }
}

extension BlockingSocket {
  /// Waits as a slow peer does, but stops waiting when the other end closes.
  func delay(milliseconds: Int) {
    let readHangUp: Int16 = 0x2000  // POLLRDHUP, which Swift does not import
    var wait = pollfd(fd: number, events: readHangUp, revents: 0)
    poll(&wait, 1, Int32(clamping: milliseconds))
  }
}

/// Waits as a slow peer does.
func pause(milliseconds: Int32) { poll(nil, 0, milliseconds) }
