// A link: one word of printable ASCII that one person passes to another so that a file can be fetched.
import Content

/// `p2pnode:<fileID>/name=…/length=…/peer=…`. Only the fileID is required; the rest are hints. No character of a link
/// has a meaning in a shell, so a link need not be quoted.
///
/// Source: `Protocol/links.md`.
public struct FileLink: Hashable, Sendable {
  /// A peer that may have the file.
  public struct Peer: Hashable, Sendable {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    public let host: String
    /// Never 0.
    public let port: UInt16
    /// The peer that must answer there; nil: any peer.
    public let pinned: PeerID?

    /// Nil if a link cannot express the host or the port.
    public init?(host: String, port: UInt16, pinned: PeerID? = nil) {
      let isBracketed = host.utf8.contains(UInt8(ascii: ":"))
      guard port != 0, isBracketed ? Peer.isIPv6(host) : Peer.isName(host) else { return nil }
      self.host = host
      self.port = port
      self.pinned = pinned
    }

    /// Letters, digits, `.`, `-` and `_`: DNS names and IPv4 addresses.
    private static func isName(_ host: String) -> Bool {
      (1...FileLink.hostBytesMax).contains(host.utf8.count)
        && host.utf8.allSatisfy { LinkText.isAlphanumeric($0) || LinkText.isOne($0, of: "._-") }
    }

    private static func isIPv6(_ host: String) -> Bool {
      (2...FileLink.ipv6BytesMax).contains(host.utf8.count)
        && host.utf8.allSatisfy { LinkText.hexValue($0) != nil || LinkText.isOne($0, of: ":.") }
    }
  }

  /// The most bytes of a link. A link with all its parts at their longest fits.
  public static let byteCountMax = 8_192
  /// The most peers of a link, so that a stranger's link cannot make a reader dial many addresses.
  public static let peersMax = 16
  /// The most bytes of a host name, as in the DNS.
  static let hostBytesMax = 253
  /// The most bytes of an IPv6 address: one that ends in an IPv4 address.
  static let ipv6BytesMax = 45
  static let scheme = "p2pnode:"

  public let fileID: FileID
  /// The suggested name, any text. Pass it through `SuggestedName` before it names a file or is shown.
  public let name: String?
  /// The file's length in bytes. The fileID commits to the length, so with a wrong one no file matches the link.
  public let length: UInt64?
  public let peers: [Peer]

  /// Drops a name that is empty or too long, and peers beyond `peersMax`.
  public init(fileID: FileID, name: String? = nil, length: UInt64? = nil, peers: [Peer] = []) {
    self.fileID = fileID
    self.name = name.flatMap { (1...ProtocolLimits.nameBytesMax).contains($0.utf8.count) ? $0 : nil }
    self.length = length.flatMap { $0 <= FileLink.lengthMax ? $0 : nil }
    self.peers = Array(peers.prefix(FileLink.peersMax))
  }

  static let lengthMax = UInt64(ProtocolLimits.chunksMax * ProtocolLimits.leafBytesMax * ProtocolLimits.leavesPerChunk)

  /// Whether the text is meant as a link, even if it is not a valid one.
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
