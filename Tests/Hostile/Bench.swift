// The resources of one case: a folder, its own addresses, and its processes. All of them end with the case.
import Content
import Glibc
import Posix
import Synchronization
import TestSupport

/// A case's resources. Confined to the thread of the case.
final class Bench {
  let settings: Settings
  let folder = TemporaryFolder()
  private var children: [Child] = []
  private var ends: [() -> Void] = []
  private let network: (UInt8, UInt8)
  private var count = 0
  private var outputs = 0
  /// The bench that outlives this case. Nil in that bench itself.
  private let common: Bench?
  private var sparedServing: Serving?

  private static let cases = Mutex(0)

  /// - `common`: the bench of all cases that run one after another, on the same thread.
  init(_ settings: Settings, common: Bench? = nil) {
    (self.settings, self.common) = (settings, common)
    let number = Bench.cases.withLock { number in
      number += 1
      return number
    }
    // A part of 127.0.0.0/8 that no other run on this machine and no other case of this run uses.
    network = (UInt8(16 + getpid() % 200), UInt8(number % 256))
  }

  /// One of the 256 addresses of this case, as 16 bytes.
  func address(_ last: UInt8) -> [UInt8] { Endpoint(ipv4: (127, network.0, network.1, last), port: 0).ip }

  /// Returns the same address as text.
  func host(_ last: UInt8) -> String { "127.\(network.0).\(network.1).\(last)" }

  /// Calls a closure when the case ends, even if it throws. The last closure is called first.
  func atEnd(_ body: @escaping () -> Void) { ends.append(body) }

  func end() {
    // Threads that wait for an attacked process continue once it has ended.
    for child in children { child.end() }
    for body in ends.reversed() { body() }
    (children, ends) = ([], [])
  }

  func nextOutput() -> Int {
    outputs += 1
    return outputs
  }

  // MARK: Processes

  func makeFolder(_ name: String) -> String {
    mkdir(folder(name), 0o755)
    return folder(name)
  }

  /// Starts the command.
  /// - `home`: the name of its state folder. Nil: the command gets a new one.
  func start(
    _ arguments: [String], home: String? = nil, through wrapper: [String] = [], in place: String? = nil,
    pipes: Bool = false
  ) throws -> Child {
    count += 1
    let child = try Child(
      wrapper + [settings.binary] + arguments, home: folder(home ?? "home-\(count)"), outPath: folder("\(count).out"),
      errPath: folder("\(count).err"), in: place ?? folder.path, pipes: pipes)
    children.append(child)
    return child
  }
}

/// A `serve` that is listening and has hashed its files.
struct Serving {
  let child: Child
  let address: Endpoint
  /// 64 hexadecimal digits.
  let peerID: String
  /// Its memory when it was ready, in bytes. A case sets it again after an honest download.
  var baseBytes = 0

  /// The value for `--peer`.
  var peer: String { "\(address)" }

  /// Its memory above the base, in bytes.
  var grownBytes: Int {
    child.look()
    return max(0, child.peakBytes - baseBytes)
  }
}

extension Bench {
  static let startSecondsMax = 60.0

  /// Returns a server of the load's file that no case attacks. All cases that run alone share it.
  func spared() throws -> Serving {
    if let common { return try common.spared() }
    if let sparedServing { return sparedServing }
    let sample = Size.load.sample
    let serving = try serve(sample.folder)
    let (_, isRight, ending) = try download(sample.file, from: [serving.peer], within: 60)
    guard isRight else { throw Missing("from the server that is spared: \(ending)") }
    sparedServing = serving
    return serving
  }

  /// Serves a folder.
  /// - `address`: the address to listen on.
  func serve(
    _ folder: String, _ options: [String] = [], at address: String? = nil, home: String? = nil,
    through wrapper: [String] = [], pipes: Bool = false
  ) throws -> Serving {
    let child = try start(
      ["serve", folder, "--listen", address ?? "\(host(1)):0"] + options, home: home, through: wrapper, pipes: pipes)
    let deadline = Clock.seconds + Bench.startSecondsMax
    var said = ""
    while Clock.seconds < deadline {
      if pipes { said += child.readPipes() } else { said = child.err + child.out }
      if said.contains("\nready: ") || said.hasPrefix("ready: ") || said.contains(#""event":"ready""#),
        let (address, peerID) = Bench.listening(in: said)
      {
        child.look()
        return Serving(child: child, address: address, peerID: peerID, baseBytes: child.peakBytes)
      }
      if child.look() { break }
      pause(milliseconds: 5)
    }
    throw Missing("serve is not ready: \(child.lastWords)")
  }

  /// Returns the address that a process prints when it listens, and its PeerID, if it prints that too.
  static func listening(in text: String) -> (Endpoint, peerID: String)? {
    for line in text.split(separator: "\n") {
      var words: [Substring] = []
      if line.hasPrefix("listening on ") {
        words = line.dropFirst("listening on ".count).split(separator: " ")
      } else if line.contains(#""event":"listening""#), let address = field("address", of: line) {
        words = [address[...], "as", field("peer", of: line)?[...] ?? ""]
      }
      guard let word = words.first, let colon = word.lastIndex(of: ":"),
        let port = UInt16(word[word.index(after: colon)...]),
        let address = Endpoint(numericHost: word[..<colon], port: port)
      else { continue }
      return (address, peerID: String(words.last ?? ""))
    }
    return nil
  }

  /// Returns the value of a field of a one-line JSON object, as written, without quotes.
  static func field(_ name: String, of line: Substring) -> String? {
    guard let key = line.firstRange(of: "\"\(name)\":") else { return nil }
    let rest = line[key.upperBound...]
    if rest.hasPrefix("\"") { return String(rest.dropFirst().prefix { $0 != "\"" }) }
    return String(rest.prefix { $0 != "," && $0 != "}" })
  }
}
