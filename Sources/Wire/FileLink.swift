// A link: what one person passes to another so that a file can be fetched, as one word of printable ASCII.
import Content

/// `p2pnode:<fileID>/name=…/length=…/peer=…`. Only the fileID is needed; all else are hints. No character of a link has a
/// meaning in a shell, so nobody has to quote it.
///
/// Source: `Protocol/links.md`.
public struct FileLink: Hashable, Sendable {
  /// Where the file may be had.
  public struct Peer: Hashable, Sendable {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    public let host: String
    /// Never 0.
    public let port: UInt16
    /// The peer that must answer there; nil: any peer.
    public let pinned: PeerID?

    /// Nil for a host or a port that no link can name.
    public init?(host: String, port: UInt16, pinned: PeerID? = nil) {
      let isBracketed = host.utf8.contains(UInt8(ascii: ":"))
      guard port != 0, isBracketed ? Peer.isIPv6(host) : Peer.isName(host) else { return nil }
      self.host = host
      self.port = port
      self.pinned = pinned
    }

    /// Letters, digits, `.`, `-` and `_`: names of the domain name system, and IPv4 addresses.
    private static func isName(_ host: String) -> Bool {
      (1...FileLink.hostBytesMax).contains(host.utf8.count)
        && host.utf8.allSatisfy { LinkText.isAlphanumeric($0) || LinkText.isOne($0, of: "._-") }
    }

    private static func isIPv6(_ host: String) -> Bool {
      (2...FileLink.ipv6BytesMax).contains(host.utf8.count)
        && host.utf8.allSatisfy { LinkText.hexValue($0) != nil || LinkText.isOne($0, of: ":.") }
    }
  }

  /// Bytes of a link, at most: what all its parts can come to.
  public static let byteCountMax = 8_192
  /// Peers of a link, at most: a stranger's link cannot make its reader dial the world.
  public static let peersMax = 16
  /// Bytes of a host's name, as in the domain name system.
  static let hostBytesMax = 253
  /// Bytes of an IPv6 address with an IPv4 address at its end.
  static let ipv6BytesMax = 45
  static let scheme = "p2pnode:"

  public let fileID: FileID
  /// The suggested name, of any text: it goes through `SuggestedName` before it becomes a file or is shown.
  public let name: String?
  /// In bytes. The fileID commits to the length, so another one makes the link wrong.
  public let length: UInt64?
  public let peers: [Peer]

  /// A name that is too long or empty is left out; so are peers beyond the most.
  public init(fileID: FileID, name: String? = nil, length: UInt64? = nil, peers: [Peer] = []) {
    self.fileID = fileID
    self.name = name.flatMap { (1...ProtocolLimits.nameBytesMax).contains($0.utf8.count) ? $0 : nil }
    self.length = length.flatMap { $0 <= FileLink.lengthMax ? $0 : nil }
    self.peers = Array(peers.prefix(FileLink.peersMax))
  }

  static let lengthMax = UInt64(ProtocolLimits.chunksMax * ProtocolLimits.leafBytesMax * ProtocolLimits.leavesPerChunk)

  /// Whether the text is meant to be a link, of whatever quality.
  public static func isMeant(by text: String) -> Bool { text.utf8.starts(with: scheme.utf8) }

  /// The link as text.
  public var text: String {
    var parameters: [String] = []
    if let name { parameters.append("name=" + LinkText.escaped(name)) }
    if let length { parameters.append("length=\(length)") }
    for peer in peers {
      let host = peer.host.utf8.contains(UInt8(ascii: ":")) ? "%5B\(peer.host)%5D" : peer.host
      parameters.append("peer=" + (peer.pinned.map { $0.hex + "@" } ?? "") + "\(host):\(peer.port)")
    }
    return FileLink.scheme + ([fileID.hex] + parameters).joined(separator: "/")
  }
}
