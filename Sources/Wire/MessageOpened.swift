// The answer to OPEN: the file's manifest, or why there is none.
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

/// A manifest as a peer states it: nothing here is checked against a fileID yet.
public struct OfferedFile: Hashable, Sendable {
  public enum Availability: UInt8, Sendable, CaseIterable {
    case complete = 0
    /// BITMAP and HAVE say what there is.
    case partial = 1
  }

  /// HMAC(K, "have" ‖ handshake hash ‖ direction).
  public let proof: Digest
  /// As sent; the receiver refuses what is no `ContentKind`.
  public let kind: UInt8
  /// The file's length in bytes.
  public let length: UInt64
  public let root: Digest
  /// As sent; the receiver refuses all but 20.
  public let chunkSizeLog2: UInt8
  public let availability: Availability
  /// At most 255 bytes of UTF-8; a hint, not to be used as a path.
  public let suggestedName: String

  /// A longer name is clipped at a character.
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
