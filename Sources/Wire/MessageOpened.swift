// The answer to OPEN: the file's manifest, or the reason for a refusal.
import Content

/// Answers OPEN.
public struct Opened: Hashable, Sendable {
  /// Why a file was not opened.
  public enum Refusal: UInt8, Sendable, CaseIterable {
    case noSuchFile = 1
    case tooManyFilesOpen = 2
    case notAllowed = 3
  }

  public enum Outcome: Hashable, Sendable {
    case opened(OfferedFile)
    case refused(Refusal)
  }

  public let handle: FileHandle
  public let outcome: Outcome

  public init(handle: FileHandle, outcome: Outcome) {
    self.handle = handle
    self.outcome = outcome
  }
}

/// A manifest as a peer sent it. Nothing in it is checked against a fileID yet.
public struct OfferedFile: Hashable, Sendable {
  public enum Availability: UInt8, Sendable, CaseIterable {
    case complete = 0
    /// BITMAP and HAVE say which parts the peer has.
    case partial = 1
  }

  /// HMAC(K, "have" ‖ handshake hash ‖ direction).
  public let proof: Digest
  /// The kind as sent. The receiver refuses a value that is not a `ContentKind`.
  public let kind: UInt8
  /// The file's length in bytes.
  public let length: UInt64
  public let root: Digest
  /// The chunk size as sent. The receiver refuses all values but 20.
  public let chunkSizeLog2: UInt8
  public let availability: Availability
  /// At most 255 bytes of UTF-8. A hint that must not be used as a path.
  public let suggestedName: String

  /// Cuts a longer name at a character.
  public init(
    proof: Digest, kind: UInt8, length: UInt64, root: Digest, chunkSizeLog2: UInt8, availability: Availability,
    suggestedName: String
  ) {
    self.proof = proof
    self.kind = kind
    self.length = length
    self.root = root
    self.chunkSizeLog2 = chunkSizeLog2
    self.availability = availability
    self.suggestedName = suggestedName.clipped(toUTF8Bytes: ProtocolLimits.nameBytesMax)
  }
}
