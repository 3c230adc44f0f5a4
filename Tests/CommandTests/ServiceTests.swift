// `serve` under a service manager: its socket, its notifications, its journal, and its unit files.
import Foundation
import Posix
import Testing
import Wire

struct ServiceTests {
  private let workbench = Workbench()

  /// Returns a prefix for commands: passes a socket as descriptor 3, as in sd_listen_fds(3).
  private static func handing(_ socket: String, count: Int = 1) -> [String] {
    [
      "python3", "-c",
      """
      import os, socket, sys
      \(socket)
      os.dup2(s.fileno(), 3)
      os.set_inheritable(3, True)
      os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='\(count)')
      os.execvp(sys.argv[1], sys.argv[1:])
      """,
    ]
  }

  static let canRunPython = {
    let workbench = Workbench()
    let python = (try? workbench.start("python3", ["-c", "pass"])).flatMap { try? workbench.ended($0) }
    return python?.code == 0
  }()

  static let canVerify = {
    let workbench = Workbench()
    let version = (try? workbench.start("systemd-analyze", ["--version"])).flatMap { try? workbench.ended($0) }
    return version?.code == 0
  }()

  @Test(.enabled(if: canRunPython)) func `serve listens on a socket that the service manager hands over`() throws {
    let folder = try workbench.makeFolder("files")
    let path = try workbench.makeFile("files/data.bin", byteCount: 100_000)
    let listening = "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(8); print(s.getsockname()[1], flush=True)"
    let serve = try workbench.start(["serve", folder], through: ServiceTests.handing(listening))
    try workbench.line(of: serve, with: "ready: 1 file,")
    let address = "127.0.0.1:\(serve.stdout.lines[0])"
    #expect(serve.stderr.text.contains("listening on \(address) as "), "\(serve)")
    let get = try workbench.run(
      "get", String(serve.stdout.lines[1].prefix(64)), "--peer", address, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    serve.signal(SIGTERM)
    #expect(try workbench.ended(serve).code == 0, "\(serve)")
  }

  @Test(
    .enabled(if: canRunPython),
    arguments: [
      "s = socket.socket(); s.bind(('127.0.0.1', 0))", "s = socket.socket(type=socket.SOCK_DGRAM)",
      "s = socket.socket(socket.AF_UNIX); s.bind('here'); s.listen()", "s = open('/dev/null')",
    ])
  func `serve exits with 64 if the handed socket is not a listening TCP socket`(socket: String) throws {
    let serve = try workbench.ended(try workbench.start(["serve", "."], through: ServiceTests.handing(socket)))
    #expect(serve.code == 64, "\(serve)")
    #expect(serve.stderr.text.contains("not a listening TCP socket"), "\(serve)")
  }

  @Test(.enabled(if: canRunPython))
  func `serve exits with 64 for two sockets and ignores sockets of other processes`() throws {
    let listening = "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()"
    let two = try workbench.ended(
      try workbench.start(["serve", "."], through: ServiceTests.handing(listening, count: 2)))
    #expect(two.code == 64, "\(two)")
    let other = try workbench.start(
      ["serve", ".", "--listen", "127.0.0.1:0"], through: ["env", "LISTEN_PID=1", "LISTEN_FDS=1"])
    try workbench.line(of: other, with: "listening on 127.0.0.1:")
  }

  @Test(.enabled(if: canRunPython)) func `a serve that fails accepts connections that wait on its socket`() throws {
    // A connection left waiting would make the manager restart it at once. Here Python is the manager with the socket.
    let listening = """
      s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(8)
      c = socket.create_connection(s.getsockname())
      pid = os.fork()
      if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        s.setblocking(False)
        try: s.accept(); print('still waits')
        except BlockingIOError: print('nobody waits')
        sys.exit(status)
      """
    for (arguments, code) in [(["serve", "no-such-folder"], 66), (["serve", ".", "--config", "no-such-file"], 66)] {
      let serve = try workbench.ended(try workbench.start(arguments, through: ServiceTests.handing(listening)))
      #expect(serve.code == Int32(code), "\(serve)")
      #expect(serve.stdout.lines == ["nobody waits"], "\(serve)")
    }
  }

  @Test func `serve notifies the service manager when it is ready, reloads and stops`() throws {
    let listener = try NotificationSocket(workbench.path("notify"))
    let folder = try workbench.makeFolder("files")
    let serve = try workbench.start(
      ["serve", folder, "--listen", "127.0.0.1:0"], through: ["env", "NOTIFY_SOCKET=\(listener.path)"])
    #expect(try listener.next().hasPrefix("READY=1\nSTATUS="))
    #expect(try listener.next().hasPrefix("STATUS=Serving"))
    serve.signal(SIGHUP)
    #expect(try listener.next().wholeMatch(of: #/RELOADING=1\nMONOTONIC_USEC=\d+/#) != nil)
    #expect(try listener.next() == "READY=1")
    serve.signal(SIGTERM)
    #expect(try listener.next() == "STOPPING=1")
    #expect(try workbench.ended(serve).code == 0, "\(serve)")
  }

  @Test func `lines have a priority if stderr is the journal, and otherwise none`() throws {
    let folder = try workbench.makeFolder("files")
    try workbench.makeFile("files/one", byteCount: 1)
    let journal = [
      "sh", "-c", #"JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) && export JOURNAL_STREAM && exec "$@""#, "sh",
    ]
    let serve = try workbench.start(["serve", folder, "--listen", "127.0.0.1:0"], through: journal)
    try workbench.line(of: serve, with: "ready:")
    #expect(serve.stderr.lines.allSatisfy { $0.hasPrefix("<6>") }, "\(serve)")
    let failed = try workbench.ended(
      try workbench.start(["serve", "missing", "--listen", "127.0.0.1:0"], through: journal))
    #expect(failed.stderr.text.hasPrefix("<3>p2pnode: cannot serve"), "\(failed)")
    let other = try workbench.start(
      ["serve", "missing", "--listen", "127.0.0.1:0"], through: ["env", "JOURNAL_STREAM=1:2"])
    #expect(try workbench.ended(other).stderr.text.hasPrefix("p2pnode: cannot serve"), "\(other)")
  }

  @Test func `a log level leaves out less urgent lines`() throws {
    let folder = try workbench.makeFolder("files")
    let serve = try workbench.start(
      ["serve", folder, "--listen", "127.0.0.1:0", "--json", "--log-level", "error"])
    try workbench.line(of: serve, on: .stdout, with: "\"ready\"")
    serve.signal(SIGTERM)
    #expect(try workbench.ended(serve).stderr.bytes.isEmpty, "\(serve)")
  }

  @Test(.enabled(if: canVerify)) func `systemd accepts the units and rates the service as well confined`() throws {
    let units = try workbench.makeFolder("units")
    for name in ["p2pnode.service", "p2pnode.socket"] {
      let text = try String(contentsOfFile: "\(Binary.packageRoot)/packaging/systemd/\(name)", encoding: .utf8)
      // systemd-analyze checks that the program exists.
      let here = text.replacingOccurrences(of: "/usr/bin/p2pnode", with: try Binary.path())
      try here.write(toFile: "\(units)/\(name)", atomically: true, encoding: .utf8)
    }
    let verify = try workbench.ended(
      try workbench.start(
        "systemd-analyze", ["verify", "--man=no", "\(units)/p2pnode.service", "\(units)/p2pnode.socket"]))
    #expect(verify.code == 0, "\(verify)")
    #expect(!verify.stderr.text.contains("p2pnode"), "\(verify)")
    let security = try workbench.ended(
      try workbench.start(
        "systemd-analyze", ["security", "--offline=yes", "--threshold=25", "\(units)/p2pnode.service"]))
    #expect(security.code == 0, "\(security)")
  }

  @Test func `the units' limits allow what the program allows itself`() throws {
    func number(after key: String, in path: String) throws -> UInt64 {
      let text = try String(contentsOfFile: "\(Binary.packageRoot)/\(path)", encoding: .utf8)
      let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      let line = try #require(lines.last { $0.hasPrefix(key) })
      return try #require(UInt64(line.dropFirst(key.count).prefix { $0.isNumber }))
    }
    let unit = "packaging/systemd/p2pnode.service"
    // All outboxes, the blocks of a download and the catalogue, and the same again for memory that the allocator keeps.
    let memory = UInt64(2 * NodeLimits.outboxesBytesMax) >> 20
    #expect(try number(after: "LimitNOFILE=", in: unit) == OpenFileLimit.countMax)
    #expect(try number(after: "MemoryMax=", in: unit) >= 2 * memory)
    #expect(try number(after: "memory: ", in: "docker/kubernetes.yaml") >= 2 * memory)
  }
}

/// The service manager's end of sd_notify.
private final class NotificationSocket {
  let path: String
  private let number: Int32

  init(_ path: String) throws {
    self.path = path
    number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(number, $0, length) }
    }
    guard result == 0 else { throw Unexpected("bind: \(String(cString: strerror(errno)))") }
    var bound = timeval(tv_sec: Int(Workbench.patienceSeconds), tv_usec: 0)
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &bound, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(number) }

  func next() throws -> String {
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = recv(number, &bytes, bytes.count, 0)
    guard count >= 0 else { throw Unexpected("no notification") }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
