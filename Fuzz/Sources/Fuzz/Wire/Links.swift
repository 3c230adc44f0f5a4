// Links as strangers write them.
@testable import Wire

enum Links {
  static let target = Target(
    "link",
    seeds: { vectors in
      vectors.examples("links") { $0.hasSuffix(".link") || $0.hasSuffix(".written") }
        + vectors.examples("invalid/links")
    }, run)

  private static func run(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    do throws(FileLinkFault) {
      let link = try FileLink(parsing: text)
      require(isLink(Array(text.utf8)), "a link that the protocol refuses is refused")
      require(link.peers.count <= 16 && link.length ?? 0 <= 1 << 42, "a link is bounded")
      require((1...255).contains(link.name?.utf8.count ?? 1), "a name is bounded")
      let again = try FileLink(parsing: link.text)
      require(again == link, "a link survives being written")
      require(link.text.utf8.count <= FileLink.byteCountMax, "a link that was read can be written")
    } catch {
      require(!isLink(Array(text.utf8)), "a link of the protocol is taken: \(error)")
    }
  }

  // MARK: A second implementation of `Protocol/README.md`, section 15

  private static func isLink(_ text: [UInt8]) -> Bool {
    guard text.count <= 8_192, text.starts(with: "p2pnode:".utf8) else { return false }
    let rest = text.dropFirst(8)
    guard rest.count >= 64, rest.prefix(64).allSatisfy(isHexDigit) else { return false }
    if rest.count == 64 { return true }
    guard rest[rest.startIndex + 64] == UInt8(ascii: "/") else { return false }
    var counts: [String: Int] = [:]
    for parameter in rest.dropFirst(65).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      guard let equals = parameter.firstIndex(of: UInt8(ascii: "=")),
        let value = decoded(parameter[parameter.index(after: equals)...])
      else { return false }
      let key = String(decoding: parameter[..<equals], as: UTF8.self)
      counts[key, default: 0] += 1
      switch key {
      case "name":
        guard (1...255).contains(value.count), String(decoding: value, as: UTF8.self).utf8.elementsEqual(value) else {
          return false
        }
      case "length": guard let length = number(value[...]), length <= 1 << 42 else { return false }
      case "peer": guard isPeer(value[...]) else { return false }
      default:
        let isOpen =
          key.utf8.starts(with: "x-".utf8) && key.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D }
        guard isOpen else { return false }
      }
    }
    return counts["name"] ?? 0 <= 1 && counts["length"] ?? 0 <= 1 && counts["peer"] ?? 0 <= 16
  }

  private static func decoded(_ value: ArraySlice<UInt8>) -> [UInt8]? {
    var out: [UInt8] = []
    var rest = value
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%") {
        let digits = rest.prefix(2)
        guard digits.count == 2, digits.allSatisfy(isHexDigit) else { return nil }
        out.append(UInt8(String(decoding: digits, as: UTF8.self), radix: 16)!)
        rest = rest.dropFirst(2)
      } else {
        guard isAlphanumeric(byte) || "-._~:@".utf8.contains(byte) else { return nil }
        out.append(byte)
      }
    }
    return out
  }

  private static func isPeer(_ peer: ArraySlice<UInt8>) -> Bool {
    var rest = peer
    if let at = peer.firstIndex(of: UInt8(ascii: "@")) {
      guard peer[..<at].count == 64, peer[..<at].allSatisfy(isHexDigit) else { return false }
      rest = peer[(at + 1)...]
    }
    var host = rest
    if rest.last != UInt8(ascii: "]"), let colon = rest.lastIndex(of: UInt8(ascii: ":")) {
      guard let port = number(rest[(colon + 1)...]), (1...65_535).contains(port) else { return false }
      host = rest[..<colon]
    }
    if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]"), host.count > 1 {
      let address = host.dropFirst().dropLast()
      return (2...45).contains(address.count) && address.contains(UInt8(ascii: ":"))
        && address.allSatisfy { isHexDigit($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }
    }
    return (1...253).contains(host.count) && host.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
    guard digits.allSatisfy({ (0x30...0x39).contains($0) }), digits.count == 1 || digits.first != 0x30 else {
      return nil
    }
    return UInt64(String(decoding: digits, as: UTF8.self))
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
  }
}
