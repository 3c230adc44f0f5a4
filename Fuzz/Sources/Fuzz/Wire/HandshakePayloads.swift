// Payloads that a peer sends inside the handshake.
@testable import Wire

enum HandshakePayloads {
  static let target = Target(
    "handshake-payload",
    seeds: { vectors in
      vectors.examples("invalid/handshake-payload")
        + ["handshake-xx-aesgcm", "handshake-xxpsk0-chachapoly"]
        .flatMap { vectors.examples($0) { $0.hasSuffix(".payload") } }
    }, run)

  private static let zoneBytes = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._".utf8)

  /// `Protocol/README.md`, section 6: each field is complete. A known field occurs once and has its length.
  private static func isPayload(_ bytes: [UInt8]) -> Bool {
    guard bytes.count <= 256 else { return false }
    var rest = bytes[...]
    var seen: Set<UInt8> = []
    while let type = rest.popFirst() {
      guard let count = rest.popFirst(), rest.count >= count else { return false }
      let value = rest.prefix(Int(count))
      rest = rest.dropFirst(Int(count))
      guard (1...5).contains(type) else { continue }
      guard seen.insert(type).inserted else { return false }
      switch type {
      case 2: if count != 4 { return false }
      case 3: if count > 32 || !String(decoding: value, as: UTF8.self).utf8.elementsEqual(value) { return false }
      case 5: if !(1...64).contains(count) || !value.allSatisfy(zoneBytes.contains) { return false }
      default: if count != 2 { return false }
      }
    }
    return true
  }

  private static func run(_ bytes: [UInt8]) {
    do throws(HandshakeError) {
      let payload = try HandshakePayload(decoding: bytes)
      require(isPayload(bytes), "a payload that the protocol refuses is refused")
      require(payload.listenPort != 0, "port 0 is no port")
      let encoded = payload.encode()
      require(encoded.count <= HandshakePayload.byteCountMax, "a payload fits its message")
      let again = try HandshakePayload(decoding: encoded)
      require(again == payload, "a payload survives the wire")
    } catch {
      require(!isPayload(bytes), "a payload of the protocol is taken: \(error)")
    }
  }
}
