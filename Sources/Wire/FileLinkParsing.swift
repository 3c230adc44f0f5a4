// Reads links. They come from strangers: whatever is not exactly as the specification says is refused, with its reason.
import Content

/// Why a text is no link.
public enum FileLinkFault: Error, Hashable, Sendable, CustomStringConvertible {
  case notALink
  case tooLong
  case fileID
  /// A character that must be percent-encoded, or that no link has.
  case character
  case percentEncoding
  case notUTF8
  /// A `/` is followed by `key=value`.
  case parameter
  case unknownKey
  case repeated(String)
  case name
  case length
  case peer
  /// An IPv6 address of a peer has no brackets, so its port cannot be told from it.
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
  /// Takes exactly what section "Links" of `Protocol/links.md` describes.
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

  /// Decimal, without a sign or a leading zero, of at most 19 digits, which cannot overflow.
  static func number(_ digits: some Collection<UInt8>) -> UInt64? {
    guard (1...19).contains(digits.count), digits.allSatisfy(LinkText.isDigit),
      digits.count == 1 || digits.first != UInt8(ascii: "0")
    else { return nil }
    return digits.reduce(0) { $0 * 10 + UInt64($1 - UInt8(ascii: "0")) }
  }
}

extension FileLink.Peer {
  /// `[PEERID@]HOST[:PORT]`, percent-decoded.
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
    // Characters are checked byte by byte next, so nothing that is no ASCII becomes part of a name here.
    guard let peer = FileLink.Peer(host: String(decoding: host, as: UTF8.self), port: port, pinned: pinned) else {
      throw .peer
    }
    self = peer
  }

  /// The host without its brackets, and what follows it: nothing, or a colon and a port.
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

/// Characters of links.
enum LinkText {
  /// Those of RFC 3986 that are never percent-encoded, but `~`: some shells expand it after a `=` or `:`.
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

  /// Everything but plain characters percent-encoded.
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

  /// The bytes of a value.
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
        // To RFC 3986 `~` is the same as `%7E`, so a program that handles the link on its way may write it.
        guard isPlain(byte) || isOne(byte, of: "~:@") else { throw .character }
        out.append(byte)
      }
    }
    return out
  }
}
