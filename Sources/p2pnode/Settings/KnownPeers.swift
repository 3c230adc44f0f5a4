// Collects the peers that `get` asks: from its options, its link, the environment and the peers file.
import CommandSettings
import PeerNode
import Posix
import Storage
import Wire

enum KnownPeers {
  /// The most bytes of the peers file: far more than a user needs.
  private static let fileBytesMax: UInt64 = 1 << 20
  private static let variable = "P2PNODE_PEERS"

  /// Returns each peer once, in the order options, link, environment, file.
  static func all(options: [String], link: FileLink?) throws(Failure) -> [PeerSource] {
    var all: [PeerSource] = []
    for text in options { all.append(try PeerSource(typed: text, by: "--peer")) }
    all += (link?.peers ?? []).map(PeerSource.init)
    all += try ofEnvironment()
    if let file = file { all += try ofFile(file) }
    var seen: Set<PeerSource> = []
    return all.filter { seen.insert($0).inserted }
  }

  /// The path of the file of standing peers. Nil if there is no home folder.
  static var file: String? { (try? StateFolders.ofUser())?.peersFile }

  /// The ways to name peers, for a message.
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

  /// Reads one peer from each line. `#` begins a comment; empty lines are skipped.
  private static func ofFile(_ path: String) throws(Failure) -> [PeerSource] {
    let read: [UInt8]?
    do throws(SettingsError) { read = try SmallFile.read(path, bytesMax: fileBytesMax) } catch { throw Failure(error) }
    guard let bytes = read else { return [] }
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
}

extension PeerSource {
  /// Reads a peer as a person wrote it. `place` says where it was written, for errors.
  init(typed text: String, by place: String) throws(Failure) {
    guard PeerID(hex: text) == nil else {
      throw Failure(
        Exit.usage, "\(place) '\(text)' is a PeerID without an address: write \(text)@HOST, or \(text)@HOST:PORT")
    }
    guard let peer = PeerSource(parsing: text) else {
      let shown = Console.escaped(text)
      if PeerSource.lacksBrackets(text) {
        throw Failure(
          Exit.usage, "\(place) '\(shown)': an IPv6 address needs brackets, such as [::1] or [::1]:9800")
      }
      throw Failure(
        Exit.usage, "\(place) '\(shown)' is not [PEERID@]HOST[:PORT], such as 192.0.2.1, 192.0.2.1:9800 or [::1]")
    }
    self = peer
  }

  /// Whether the host looks like an IPv6 address without brackets: it has more than one colon.
  private static func lacksBrackets(_ text: String) -> Bool {
    let host = text.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false).last ?? text.utf8[...]
    return host.count { $0 == UInt8(ascii: ":") } > 1
      && host.allSatisfy { Character(UnicodeScalar($0)).isHexDigit || ":.".utf8.contains($0) }
  }
}
