// A process under attack: its exit, the most memory that it had, and what it wrote.
import Glibc
import TestSupport

/// Something that a case needs did not happen.
struct Missing: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Confined to the thread of its case. Its output goes to two files, so that it never waits for a reader; or nowhere
/// at all after a while, as with a reader that stalls.
final class Child {
  let outPath: String
  let errPath: String
  let began = Clock.seconds
  private(set) var pid: pid_t?
  /// The exit code, or the negative number of the signal that killed it; nil while it runs.
  private(set) var code: Int32?
  /// When it ended, in seconds; as exact as it is looked at.
  private(set) var endedAt: Double?
  /// The most resident memory that it had, in bytes, as last seen.
  private(set) var peakBytes = 0
  /// The reading ends of its pipes, where it has pipes.
  private var pipes: [Int32] = []

  /// - `pipes`: whether it writes to pipes that only `readPipes` reads.
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
    // The call that would change the folder is not in Swift's Glibc; the shell is gone once it has.
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

  /// Looks whether it has ended, and at its memory.
  @discardableResult func look() -> Bool {
    guard let pid else { return true }
    let peak = Child.peakBytes(of: pid)
    peakBytes = max(peakBytes, peak)
    var status: Int32 = 0
    guard waitpid(pid, &status, WNOHANG) == pid else { return false }
    finish(status)
    return true
  }

  /// Waits for its end; nil if it still runs then.
  func wait(within seconds: Double) -> Int32? {
    let end = Clock.seconds + seconds
    while !look() && Clock.seconds < end { pause(milliseconds: 5) }
    return code
  }

  func signal(_ number: Int32) { if let pid { kill(pid, number) } }

  /// Ends it whatever it does.
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

  /// Takes what is in the pipes now, both as one text.
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

  /// Its last words, for a person.
  var lastWords: String {
    String(err.split(separator: "\n").last.map { $0.suffix(140) } ?? "it said nothing")
  }

  private func finish(_ status: Int32) {
    pid = nil
    endedAt = Clock.seconds
    code = status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
  }

  /// VmHWM of a process, in bytes; 0 where it has none.
  private static func peakBytes(of pid: pid_t) -> Int {
    for line in text(of: "/proc/\(pid)/status").split(separator: "\n") where line.hasPrefix("VmHWM:") {
      return (Int(line.dropFirst(6).filter(\.isNumber)) ?? 0) << 10
    }
    return 0
  }
}

/// The text of a file; empty where it cannot be read.
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
  /// Lets time pass, as a slow peer does: less of it where the other end leaves meanwhile.
  func delay(milliseconds: Int) {
    let readHangUp: Int16 = 0x2000  // POLLRDHUP, which the importer hides
    var wait = pollfd(fd: number, events: readHangUp, revents: 0)
    poll(&wait, 1, Int32(clamping: milliseconds))
  }
}

/// Lets time pass, as a slow peer does.
func pause(milliseconds: Int32) { poll(nil, 0, milliseconds) }
