// The resources of one test: a folder, and the processes and servers in it. All of them end with the test.
import Foundation

/// The resources of one test. Confined to the thread of the test; it has no thread. While a test waits, `wait` reads
/// the output of all children and runs the test's servers.
final class Workbench {
  /// How long a test waits for something that should happen soon: far longer than it takes on a busy machine. A
  /// sanitizer makes everything about ten times slower, so `scripts/sanitize` sets P2PNODE_PATIENCE, in seconds.
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
    // A test may have made a folder unreadable.
    try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder)
    try? FileManager.default.removeItem(atPath: folder)
  }

  // MARK: Files

  /// Returns the path of a name in the folder.
  func path(_ name: String) -> String { folder + "/" + name }

  /// Makes a folder in the workbench's folder.
  func makeFolder(_ name: String) throws -> String {
    try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
    return path(name)
  }

  /// Makes a file with `byteCount` bytes that depend only on the seed.
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

  /// Starts the command in a folder (nil: the workbench's) and with a new state folder.
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

  /// Options with which a test's download listens on this machine only.
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

  /// Waits until a child has ended.
  @discardableResult func ended(_ child: Child, within seconds: Double = patienceSeconds) throws -> Child {
    try wait(for: "the end of \(child.command)", within: seconds) { child.code != nil }
    return child
  }

  /// Waits for a line that matches, and returns the first one.
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

  /// Waits for a line that contains a text, and returns the first one.
  @discardableResult func line(of child: Child, on stream: Child.Stream = .stderr, with text: String) throws -> String {
    try line(of: child, on: stream, "'\(text)'") { $0.contains(text) }
  }

  /// Waits until a child has written `count` more bytes or has ended. So a fault can strike at any moment.
  func wait(forBytes count: Int, writtenBy child: Child) throws {
    let written = child.writtenBytes
    try wait(for: "\(count) bytes that \(child.command) writes", checkingEachMilliseconds: 1) {
      child.writtenBytes >= written + count || child.code != nil
    }
  }

  // MARK: Servers of the test

  /// Starts a server that is not a p2pnode, on a free port of 127.0.0.1.
  func impostor(_ manner: Impostor.Manner) throws -> Impostor {
    let impostor = try Impostor(manner)
    impostors.append(impostor)
    return impostor
  }

  // MARK: Waiting

  /// Reads and answers until `isDone`. It also reads what was written before that became true.
  /// - `checkingEachMilliseconds`: the longest time between two calls of `isDone`, for events that no output announces.
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
