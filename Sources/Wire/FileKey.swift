// Proofs that a peer knows a fileID without revealing it. A proof is bound to one handshake and direction: no replay.
import Content
import Sodium

/// `K = HMAC-SHA256(swarm key or 32 zero bytes, fileID)` of one file, and the values derived from it.
///
/// K is a plain value: the process also holds the fileID, from which K follows, in the clear.
///
/// Source: `Protocol/README.md`, "Identity and keys".
public struct FileKey: Sendable {
  private let key: Digest
  /// The first two bytes of `HMAC(K, "bucket")`. The other end finds its candidates by them.
  public let bucket: UInt16

  public init(_ fileID: FileID, swarm: SwarmKey?) {
    let id = fileID.digest.bytes
    if let swarm {
      var hash = HMACSHA256(key: swarm.key)
      hash.update(id.span.bytes)
      key = Digest(hash.finish())
    } else {
      key = Digest(hmacSHA256: id.span.bytes, key: .zero)
    }
    let bytes = FileKey.tag(key, "bucket", []).bytes
    bucket = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
  }

  /// Returns the proof in an OPEN frame that `sender` sends.
  public func openProof(_ handshakeHash: Digest, sender: ChannelRole) -> Digest {
    FileKey.tag(key, "open", handshakeHash.bytes + [sender.rawValue])
  }

  /// Returns the proof in an OPENED frame that `sender` sends.
  public func haveProof(_ handshakeHash: Digest, sender: ChannelRole) -> Digest {
    FileKey.tag(key, "have", handshakeHash.bytes + [sender.rawValue])
  }

  /// `HMAC(K, label ‖ context)`. No two uses share a label and a length of context.
  func tag(_ label: String, _ context: [UInt8]) -> Digest { FileKey.tag(key, label, context) }

  /// Whether a received proof is the expected one. Compares in constant time, so that timing reveals nothing.
  public static func matches(_ proof: Digest, due: Digest) -> Bool {
    constantTimeEqual(proof.bytes.span.bytes, due.bytes.span.bytes)
  }

  private static func tag(_ key: Digest, _ label: String, _ context: [UInt8]) -> Digest {
    Digest(hmacSHA256: (Array(label.utf8) + context).span.bytes, key: key)
  }
}
