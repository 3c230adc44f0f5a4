// Proofs that one end knows a fileID, without saying it: bound to one handshake and one direction, so none is replayed.
import Content
import Sodium

/// `K = HMAC-SHA256(swarm key or 32 zero bytes, fileID)` of one file, and what is derived from it.
///
/// K stands beside the fileID that it comes from, which a process holds in the clear anyway, so it is a plain value.
///
/// Source: `Protocol/README.md`, "Identity and keys".
public struct FileKey: Sendable {
  private let key: Digest
  /// The first two bytes of `HMAC(K, "bucket")`: by it the other end finds its candidates.
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

  /// The proof in an OPEN frame that `sender` sends.
  public func openProof(_ handshakeHash: Digest, sender: ChannelRole) -> Digest {
    FileKey.tag(key, "open", handshakeHash.bytes + [sender.rawValue])
  }

  /// The proof in an OPENED frame that `sender` sends.
  public func haveProof(_ handshakeHash: Digest, sender: ChannelRole) -> Digest {
    FileKey.tag(key, "have", handshakeHash.bytes + [sender.rawValue])
  }

  /// `HMAC(K, label ‖ context)`. No two uses share a label and a length of context.
  func tag(_ label: String, _ context: [UInt8]) -> Digest { FileKey.tag(key, label, context) }

  /// Whether a proof that came is the one that is due, in a time that does not tell how much of it is right.
  public static func matches(_ proof: Digest, due: Digest) -> Bool {
    constantTimeEqual(proof.bytes.span.bytes, due.bytes.span.bytes)
  }

  private static func tag(_ key: Digest, _ label: String, _ context: [UInt8]) -> Digest {
    Digest(hmacSHA256: (Array(label.utf8) + context).span.bytes, key: key)
  }
}
