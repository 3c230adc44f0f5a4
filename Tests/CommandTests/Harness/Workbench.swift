// What one test has: a folder of its own, and the processes and servers in it. All are gone when the test is over.
import Foundation

/// Confined to the thread of its test: there is no thread behind it. While a test waits, `wait` reads what all children
/// write and lets the servers of the test answer.
final class Workbench {
  /// How long a test waits for what happens soon: far longer than it takes on a busy machine. Under a sanitizer
  /// everything is about ten times slower, so `scripts/sanitize` sets P2PNODE_PATIENCE, in seconds.
  static let patienceSeconds = ProcessInfo.processInfo.environment["P2PNODE_PATIENCE"].flatMap(Double.init) ?? 60

  let folder: String
  private(set) var children: [Child] = []
  private var impostors: [Impostor] = []
  private var homes = 0

  init() {
    var template = Array(NSTemporaryDirectory().utf8) + Array("/p2pnode-command-XXXXXX".utf8) + [0]
    folder = template.withUnsafeMutableBytes { bytes in
      guard let path = mkdtemp(bytes.baseAddress!.assumingMemoryBound(to: CChar.self)) else {
        preconditionFailure("no temporary folder")
      }
      return String(cString: path)
    }
  }

  deinit {
    for child in children { child.end() }
    for impostor in impostors { impostor.end() }
    // What a test made unreadable must be removable.
    try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder)
    try? FileManager.default.removeItem(atPath: folder)
  }

  // MARK: Files

  /// The path of a name in the folder.
  func path(_ name: String) -> String { folder + "/" + name }

  /// Makes a folder in the folder.
  func makeFolder(_ name: String) throws -> String {
    try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
    return path(name)
  }

  /// Makes a file of so many bytes, the same for every run of one seed.
  @discardableResult func makeFile(_ name: String, byteCount: Int, seed: UInt64 = 1) throws -> String {
    try TestFile.write(path(name), byteCount: byteCount, seed: seed)
    return path(name)
  }

  func makeFile(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    chmod(path(name), mode)
    return path(name)
  }

  // MARK: Processes

  /// Starts the command, in a folder (else the workbench's) and with state of its own.
  func start(_ arguments: [String], in workingFolder: String? = nil, through wrapper: [String] = []) throws -> Child {
    homes += 1
    var environment = ProcessInfo.processInfo.environment
    environment["P2PNODE_HOME"] = path("home-\(homes)")
    environment["P2PNODE_LAN"] = "off"
    environment["P2PNODE_PEERS"] = nil
    environment["SWIFT_BACKTRACE"] = "enable=no"
    environment["LC_ALL"] = "C.UTF-8"
    let command = wrapper + [try Binary.path()] + arguments + staysHere(arguments)
    return try start(command[0], Array(command[1...]), environment: environment, in: workingFolder)
  }

  /// A download of a test listens on this machine alone.
  private func staysHere(_ arguments: [String]) -> [String] {
    guard arguments.first == "get", !arguments.contains("--listen"), !arguments.contains("--no-upload") else {
      return []
    }
    return ["--listen", "127.0.0.1:0"]
  }

  /// Starts any program.
  func start(
    _ program: String, _ arguments: [String], environment: [String: String] = ProcessInfo.processInfo.environment,
    in workingFolder: String? = nil
  ) throws -> Child {
    let child = try Child(program, arguments, environment: environment, folder: workingFolder ?? folder)
    children.append(child)
    return child
  }

  /// Runs the command to its end.
  func run(_ arguments: String..., in workingFolder: String? = nil, through wrapper: [String] = []) throws -> Child {
    try ended(try start(arguments, in: workingFolder, through: wrapper))
  }

  /// Waits for a child's end.
  @discardableResult func ended(_ child: Child, within seconds: Double = patienceSeconds) throws -> Child {
    try wait(for: "the end of \(child.command)", within: seconds) { child.code != nil }
    return child
  }

  /// The first line, from the first on, for which `matches` says yes.
  @discardableResult func line(
    of child: Child, on stream: Child.Stream = .stderr, _ what: String, where matches: (String) -> Bool
  ) throws -> String {
    var seen = 0
    var found: String?
    try wait(for: "\(what) of \(child.command)") {
      let lines = stream == .stdout ? child.stdout.lines : child.stderr.lines
      found = lines[seen...].first(where: matches)
      seen = lines.count
      return found != nil || child.code != nil
    }
    guard let found else { throw Unexpected("it ended without \(what): \(child)") }
    return found
  }

  /// The first line that holds this text.
  @discardableResult func line(of child: Child, on stream: Child.Stream = .stderr, with text: String) throws -> String {
    try line(of: child, on: stream, "'\(text)'") { $0.contains(text) }
  }

  /// Waits until a child has written so many bytes more, or has ended: for a fault at any moment of its work.
  func wait(forBytes count: Int, writtenBy child: Child) throws {
    let written = child.writtenBytes
    try wait(for: "\(count) bytes that \(child.command) writes", checkingEachMilliseconds: 1) {
      child.writtenBytes >= written + count || child.code != nil
    }
  }

  // MARK: Servers of the test

  /// Something else than a p2pnode, on a free port of 127.0.0.1.
  func impostor(_ manner: Impostor.Manner) throws -> Impostor {
    let impostor = try Impostor(manner)
    impostors.append(impostor)
    return impostor
  }

  // MARK: Waiting

  /// Reads and answers until `isDone`. What was written before the deed that made it so is read too.
  /// - `checkingEachMilliseconds`: how often `isDone` is called at least, where no output of a child announces it.
  func wait(
    for what: String, within seconds: Double = patienceSeconds, checkingEachMilliseconds milliseconds: Int32 = 1_000,
    until isDone: () -> Bool
  ) throws {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while !isDone() {
      guard clock.now < end else {
        throw Unexpected("waited too long for \(what):\n\(children.map(\.description).joined(separator: "\n"))")
      }
      readAndAnswer(waitingMilliseconds: milliseconds)
    }
    readAndAnswer(waitingMilliseconds: 0)
  }

  private func readAndAnswer(waitingMilliseconds milliseconds: Int32) {
    var sources: [(Int32, () -> Void)] = []
    for child in children {
      if let descriptor = child.stdout.descriptor { sources.append((descriptor, { child.stdout.read() })) }
      if let descriptor = child.stderr.descriptor { sources.append((descriptor, { child.stderr.read() })) }
    }
    for impostor in impostors { sources.append(contentsOf: impostor.sources) }
    var polled = sources.map { pollfd(fd: $0.0, events: Int16(POLLIN), revents: 0) }
    poll(&polled, nfds_t(polled.count), milliseconds)
    for (i, entry) in polled.enumerated() where entry.revents != 0 { sources[i].1() }
    for child in children { child.collectIfEnded() }
  }
}
