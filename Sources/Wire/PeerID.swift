// The name of a peer: the hash of the static public key that it proves in the handshake.
import Content
import Sodium

/// `SHA-256("p2pnode-peerid-v1" ‖ X25519 static public key)`. People see 8 hexadecimal digits, programs all 64.
public struct PeerID: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let digest: Digest

  public init(digest: Digest) { self.digest = digest }

  public init(publicKey: PublicKey) {
    let label = Array("p2pnode-peerid-v1".utf8)
    digest = publicKey.withBytes { Digest.hash(of: label.span.bytes, $0) }
  }

  /// Takes 64 hexadecimal digits of either case; nil for anything else.
  public init?(hex: some StringProtocol) {
    guard let digest = Digest(hex: hex) else { return nil }
    self.digest = digest
  }

  /// 64 lower-case hexadecimal digits.
  public var hex: String { digest.hex }
  /// The first 8 digits, as shown to people.
  public var short: String { String(hex.prefix(8)) }
  public var description: String { short }

  public static func < (a: PeerID, b: PeerID) -> Bool {
    a.digest.bytes.lexicographicallyPrecedes(b.digest.bytes)
  }
}
