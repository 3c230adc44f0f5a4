// What a peer says a file is, believed only as far as the fileID commits to it.

/// Why a manifest is not the one of the file asked for. Each is the fault of the peer that sent it.
public enum ManifestFault: Error, Hashable {
  /// A kind that this version does not know.
  case unknownKind(UInt8)
  /// A kind that the ID cannot be of: the contents of a folder are asked for only by their listing.
  case wrongKind(ContentKind)
  /// A chunk size other than the one agreed, as a power of two.
  case unknownChunkSize(log2: UInt8)
  /// A length, in bytes, of more chunks than a file can have.
  case tooLong(UInt64)
  /// An empty file has no other root than 32 zero bytes.
  case emptyWithRoot
  /// Kind, length and root do not hash to the fileID.
  case notThisFile
}

/// A file's kind, length and root. All but the name were checked against the fileID; the name is only a hint.
///
/// Source: `Protocol/README.md`, "OPENED".
public struct Manifest: Hashable, Sendable {
  public let kind: ContentKind
  /// The file's length, and how it is cut.
  public let layout: ChunkLayout
  public let root: Digest
  /// As it came: anything at all. `fileName` is what may become a file.
  public let suggestedName: String

  /// The file's length in bytes.
  public var length: UInt64 { layout.fileLength }
  /// The chunk size as a power of two: 20 on the wire.
  public var chunkSizeLog2: UInt8 { UInt8(layout.chunkSize.trailingZeroBitCount) }
  public var fileID: FileID { FileID(kind: kind, length: length, root: root) }
  /// The suggested name as one harmless path component; nil if nothing is left of it.
  public var fileName: String? { SuggestedName.sanitised(suggestedName) }

  /// The manifest of a file of our own.
  public init(_ file: FileHash, suggestedName: String) {
    self.init(kind: .file, layout: file.layout, root: file.root, suggestedName: suggestedName)
  }

  /// The manifest of a file of our own, or of one that was verified before.
  public init(kind: ContentKind, layout: ChunkLayout, root: Digest, suggestedName: String) {
    precondition(layout.chunkSize & (layout.chunkSize - 1) == 0, "a manifest tells the chunk size as a power of two")
    self.kind = kind
    self.layout = layout
    self.root = root
    self.suggestedName = suggestedName
  }

  /// Takes the fields as a peer sent them, of any value, and believes them only if they hash to `fileID`.
  ///
  /// `chunkSize` and `leafSize`, in bytes, are those agreed beforehand (the wire's); a manifest cannot change them.
  /// - `folder`: how the contents of a folder are cut, if these are asked for.
  public static func verified(
    kind: UInt8, length: UInt64, root: Digest, chunkSizeLog2: UInt8, suggestedName: String, against fileID: FileID,
    folder: FolderLayout? = nil, chunkSize: Int = ChunkLayout.wireChunkSize, leafSize: Int = ChunkLayout.wireLeafSize
  ) throws(ManifestFault) -> Manifest {
    guard let knownKind = ContentKind(rawValue: kind) else { throw .unknownKind(kind) }
    guard (knownKind == .folderContents) == (folder != nil) else { throw .wrongKind(knownKind) }
    guard Int(chunkSizeLog2) == chunkSize.trailingZeroBitCount else {
      throw .unknownChunkSize(log2: chunkSizeLog2)
    }
    if let folder {
      guard FileID(kind: knownKind, length: length, root: root) == fileID, fileID == folder.contentsID else {
        throw .notThisFile
      }
      return Manifest(kind: knownKind, layout: ChunkLayout(folder), root: root, suggestedName: suggestedName)
    }
    guard let layout = ChunkLayout(fileLength: length, chunkSize: chunkSize, leafSize: leafSize) else {
      throw .tooLong(length)
    }
    guard knownKind != .folder || length <= UInt64(FolderListing.byteCountMax) else { throw .tooLong(length) }
    guard FileID(kind: knownKind, length: length, root: root) == fileID else { throw .notThisFile }
    // A fileID can be made for any length and root, also for a pair that no file has.
    guard length > 0 || root == .zero else { throw .emptyWithRoot }
    return Manifest(kind: knownKind, layout: layout, root: root, suggestedName: suggestedName)
  }
}
