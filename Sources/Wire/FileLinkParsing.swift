// Parses links. They come from strangers: anything that differs from the specification is refused with a reason.
import Content

/// Why a text is not a valid link.
public enum FileLinkFault: Error, Hashable, Sendable, CustomStringConvertible {
  case notALink
  case tooLong
  case fileID
  /// A character that must be percent-encoded, or that links do not allow.
  case character
  case percentEncoding
  case notUTF8
  /// A `/` is not followed by `key=value`.
  case parameter
  case unknownKey
  case repeated(String)
  case name
  case length
  case peer
  /// The IPv6 address of a peer has no brackets, so its port cannot be separated from it.
  case brackets
  case tooManyPeers

  public var description: String {
    switch self {
    case .notALink: "it does not begin with '\(FileLink.scheme)'"
    case .tooLong: "it is longer than \(FileLink.byteCountMax) bytes"
    case .fileID: "'\(FileLink.scheme)' is followed by 64 hexadecimal digits, and then by '/' or nothing"
    case .character: "it has a character that must be percent-encoded"
    case .percentEncoding: "a '%' is not followed by two hexadecimal digits"
    case .notUTF8: "its name is not UTF-8"
    case .parameter: "each '/' in it is followed by KEY=VALUE"
    case .unknownKey: "it says something that this program does not know"
    case .repeated(let key): "it has more than one \(key)"
    case .name: "its name has no byte, or more than \(ProtocolLimits.nameBytesMax)"
    case .length: "its length is no number of bytes that a file can have"
    case .peer: "a peer is not [PEERID@]HOST[:PORT]"
    case .brackets: "the IPv6 address of a peer has no brackets: a link has them as %5B::1%5D:9800"
    case .tooManyPeers: "it names more than \(FileLink.peersMax) peers"
    }
  }
}

extension FileLink {
  /// Accepts exactly what section "Links" of `Protocol/links.md` describes.
  public init(parsing text: String) throws(FileLinkFault) {
    guard FileLink.isMeant(by: text) else { throw .notALink }
    guard text.utf8.count <= FileLink.byteCountMax else { throw .tooLong }
    let rest = Array(text.utf8.dropFirst(FileLink.scheme.utf8.count))
    let digits = rest.prefix(2 * Digest.byteCount)
    guard let fileID = FileID(hex: String(decoding: digits, as: UTF8.self)) else { throw .fileID }
    let parameters = rest.dropFirst(digits.count).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard parameters[0].isEmpty else { throw .fileID }
    var name: String?
    var length: UInt64?
    var peers: [Peer] = []
    for parameter in parameters.dropFirst() {
      let (key, value) = try FileLink.keyAndValue(parameter)
      switch key {
      case "name":
        guard name == nil else { throw .repeated(key) }
        guard (1...ProtocolLimits.nameBytesMax).contains(value.count) else { throw .name }
        guard let text = String(validating: value, as: UTF8.self) else { throw .notUTF8 }
        name = text
      case "length":
        guard length == nil else { throw .repeated(key) }
        guard let number = FileLink.number(value), number <= FileLink.lengthMax else { throw .length }
        length = number
      case "peer":
        guard peers.count < FileLink.peersMax else { throw .tooManyPeers }
        peers.append(try Peer(value))
      case _ where key.hasPrefix("x-"): break
      default: throw .unknownKey
      }
    }
    self.init(fileID: fileID, name: name, length: length, peers: peers)
  }

  private static func keyAndValue(
    _ parameter: ArraySlice<UInt8>
  ) throws(FileLinkFault) -> (key: String, value: [UInt8]) {
    let key = parameter.prefix { LinkText.isLowerCase($0) || $0 == UInt8(ascii: "-") }
    guard !key.isEmpty, parameter.dropFirst(key.count).first == UInt8(ascii: "=") else { throw .parameter }
    return (String(decoding: key, as: UTF8.self), try LinkText.decoded(parameter.dropFirst(key.count + 1)))
  }

  /// Parses a decimal number without sign or leading zero. At most 19 digits are allowed, so it cannot overflow.
  static func number(_ digits: some Collection<UInt8>) -> UInt64? {
    guard (1...19).contains(digits.count), digits.allSatisfy(LinkText.isDigit),
      digits.count == 1 || digits.first != UInt8(ascii: "0")
    else { return nil }
    return digits.reduce(0) { $0 * 10 + UInt64($1 - UInt8(ascii: "0")) }
  }
}

extension FileLink.Peer {
  /// Parses `[PEERID@]HOST[:PORT]`, already percent-decoded.
  init(_ bytes: [UInt8]) throws(FileLinkFault) {
    var rest = bytes[...]
    var pinned: PeerID?
    if let at = rest.firstIndex(of: UInt8(ascii: "@")) {
      pinned = PeerID(hex: String(decoding: rest[..<at], as: UTF8.self))
      guard pinned != nil else { throw .peer }
      rest = rest[(at + 1)...]
    }
    let (host, end) = try FileLink.Peer.hostAndEnd(rest)
    var port = ProtocolDefaults.port
    if let colon = end.first {
      guard colon == UInt8(ascii: ":"), let number = FileLink.number(end.dropFirst()),
        let named = UInt16(exactly: number)
      else { throw .peer }
      port = named
    }
    // `Peer` checks the host byte by byte, so the replacement characters of this decoding do not pass.
    guard let peer = FileLink.Peer(host: String(decoding: host, as: UTF8.self), port: port, pinned: pinned) else {
      throw .peer
    }
    self = peer
  }

  /// Returns the host without brackets, and what follows it: nothing, or a colon and a port.
  private static func hostAndEnd(
    _ bytes: ArraySlice<UInt8>
  ) throws(FileLinkFault) -> (host: ArraySlice<UInt8>, end: ArraySlice<UInt8>) {
    let colon = UInt8(ascii: ":")
    if bytes.first == UInt8(ascii: "[") {
      guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { throw .peer }
      let host = bytes[..<close].dropFirst()
      guard host.contains(colon) else { throw .peer }
      return (host, bytes[close...].dropFirst())
    }
    guard bytes.count(where: { $0 == colon }) <= 1 else { throw .brackets }
    let host = bytes.prefix { $0 != colon }
    return (host, bytes[host.endIndex...])
  }
}

/// The characters of links.
enum LinkText {
  /// Whether a character is unreserved (RFC 3986) and not `~`, which some shells expand after a `=` or `:`.
  static func isPlain(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || isOne(byte, of: "-._") }

  static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
  static func isLowerCase(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") }
  static func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || isLowerCase(byte | 0x20) }
  static func isOne(_ byte: UInt8, of characters: StaticString) -> Bool {
    characters.description.utf8.contains(byte)
  }

  static func hexValue(_ digit: UInt8) -> UInt8? {
    if isDigit(digit) { return digit - UInt8(ascii: "0") }
    let lowerCase = digit | 0x20
    guard lowerCase >= UInt8(ascii: "a"), lowerCase <= UInt8(ascii: "f") else { return nil }
    return lowerCase - UInt8(ascii: "a") + 10
  }

  /// Percent-encodes everything except plain characters.
  static func escaped(_ text: String) -> String {
    var out: [UInt8] = []
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in text.utf8 {
      if isPlain(byte) {
        out.append(byte)
      } else {
        out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// Returns the bytes of a percent-encoded value.
  static func decoded(_ value: ArraySlice<UInt8>) throws(FileLinkFault) -> [UInt8] {
    var out: [UInt8] = []
    var rest = value
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%") {
        guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
          throw .percentEncoding
        }
        out.append(high << 4 | low)
      } else {
        // RFC 3986 makes `~` equal to `%7E`, so a program that handles the link in between may write `~`.
        guard isPlain(byte) || isOne(byte, of: "~:@") else { throw .character }
        out.append(byte)
      }
    }
    return out
  }
}
