// The ID that a person passes on so that another can fetch a file: a hash of its kind, length and Merkle root.

/// What kind of bytes a root stands for.
public enum ContentKind: UInt8, Sendable {
  /// A file's bytes.
  case file = 0
  /// The listing of a folder.
  case folder = 1
  /// The files of a folder. Only a program uses this ID: it derives the ID from a verified listing.
  case folderContents = 2
}

/// `SHA-256("p2pnode-file-v1" ‖ kind u8 ‖ length u64 BE ‖ root)`. A peer that knows it may read the file, so it is
/// never sent.
///
/// Source: `Protocol/README.md`, "Content identifiers".
public struct FileID: Hashable, Sendable, CustomStringConvertible {
  public let digest: Digest

  public init(digest: Digest) { self.digest = digest }

  public init(kind: ContentKind, length: UInt64, root: Digest) {
    var input = Array("p2pnode-file-v1".utf8)
    input.append(kind.rawValue)
    for shift in stride(from: 56, through: 0, by: -8) {
      input.append(UInt8(truncatingIfNeeded: length >> UInt64(shift)))
    }
    root.append(to: &input)
    digest = Digest(sha256: input.span.bytes)
  }

  /// Takes 64 hexadecimal digits of either case; nil for anything else.
  public init?(hex: some StringProtocol) {
    guard let digest = Digest(hex: hex) else { return nil }
    self.digest = digest
  }

  /// 64 lower-case hexadecimal digits.
  public var hex: String { digest.hex }
  public var description: String { hex }
}
