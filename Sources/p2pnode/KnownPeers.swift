// Whom `get` asks: the peers of its options and of the link, and those that stand for every download.
import Node
import Posix
import Storage
import Wire

enum KnownPeers {
  /// Of the peers file, in bytes: far more than anybody has peers.
  private static let fileBytesMax: UInt64 = 1 << 20
  private static let variable = "P2PNODE_PEERS"

  /// Each once, in the order of options, link, environment, file.
  static func all(options: [String], link: FileLink?) throws(Failure) -> [PeerSource] {
    var all: [PeerSource] = []
    for text in options { all.append(try PeerSource(typed: text, by: "--peer")) }
    all += (link?.peers ?? []).map(PeerSource.init)
    all += try ofEnvironment()
    if let file = file { all += try ofFile(file) }
    var seen: Set<PeerSource> = []
    return all.filter { seen.insert($0).inserted }
  }

  /// Where standing peers are written down; nil where there is no home folder.
  static var file: String? { (try? StateFolders.ofUser())?.peersFile }

  /// Where peers can be named, for a message.
  static var places: String {
    "with --peer HOST:PORT, in a link, in \(variable)" + (file.map { " or in \($0)" } ?? "")
  }

  private static func ofEnvironment() throws(Failure) -> [PeerSource] {
    let separators: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ",")]
    var peers: [PeerSource] = []
    for text in (Environment.variable(variable) ?? "").utf8.split(whereSeparator: separators.contains) {
      peers.append(try PeerSource(typed: String(Substring(text)), by: variable))
    }
    return peers
  }

  /// One a line; `#` begins a comment, empty lines say nothing.
  private static func ofFile(_ path: String) throws(Failure) -> [PeerSource] {
    guard let bytes = try read(path) else { return [] }
    var peers: [PeerSource] = []
    for (i, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
      var rest = line.prefix { $0 != UInt8(ascii: "#") }.drop(while: isBlank)
      while let last = rest.last, isBlank(last) { rest.removeLast() }
      if rest.isEmpty { continue }
      peers.append(try PeerSource(typed: String(decoding: rest, as: UTF8.self), by: "\(path):\(i + 1):"))
    }
    return peers
  }

  /// Nil where there is no such file.
  private static func read(_ path: String) throws(Failure) -> [UInt8]? {
    var status: FileStatus?
    var bytes: [UInt8] = []
    do throws(Errno) {
      let file = try File(path, [.read, .nonBlocking])
      let found = try file.status()
      status = found
      if found.kind == .regular && found.size <= fileBytesMax {
        bytes = Array(repeating: 0, count: Int(found.size))
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        let count = try file.read(at: 0, into: &raw)
        bytes.removeLast(bytes.count - count)
      }
    } catch {
      if error.code == Errno.noEntry { return nil }
      throw Failure(Exit.noInput, "cannot read \(error)")
    }
    guard let status, status.kind == .regular else {
      throw Failure(Exit.noInput, "\(path): is not a regular file")
    }
    guard status.size <= fileBytesMax else {
      throw Failure(Exit.noInput, "\(path): is longer than \(fileBytesMax) bytes")
    }
    return bytes
  }
}

extension PeerSource {
  /// A peer as a person wrote it; `place` is where.
  init(typed text: String, by place: String) throws(Failure) {
    guard let peer = PeerSource(parsing: text) else {
      throw Failure(
        Exit.usage,
        "\(place) '\(Console.escaped(text))' is not [PEERID@]HOST:PORT, such as 192.0.2.1:9800 or [::1]:9800")
    }
    self = peer
  }
}
