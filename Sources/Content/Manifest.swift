// What a peer says about a file. Only what matches the fileID is believed.

/// Why a manifest does not belong to the requested file. Each is the fault of the peer that sent it.
public enum ManifestFault: Error, Hashable {
  /// A kind that this version does not know.
  case unknownKind(UInt8)
  /// A kind that does not fit the request. Only a download that has the listing asks for the contents of a folder.
  case wrongKind(ContentKind)
  /// The chunk size, as a power of two, is not the agreed one.
  case unknownChunkSize(log2: UInt8)
  /// The length, in bytes, needs more chunks than a file can have.
  case tooLong(UInt64)
  /// The file is empty, but its root is not 32 zero bytes.
  case emptyWithRoot
  /// Kind, length and root do not hash to the fileID.
  case notThisFile
}

extension ManifestFault: CustomStringConvertible {
  /// The fault in words, as GOODBYE carries them.
  public var description: String {
    switch self {
    case .unknownKind(let kind): "kind \(kind) is unknown"
    case .wrongKind: "it is of another kind"
    case .unknownChunkSize(let log2): "chunks of 2^\(log2) bytes"
    case .tooLong(let length): "\(length) bytes are too many"
    case .emptyWithRoot: "an empty file has a root of zeros"
    case .notThisFile: "it does not hash to the fileID"
    }
  }
}

/// A file's kind, length, root and name. The fileID proves all but the name, which is only a hint.
///
/// Source: `Protocol/README.md`, "OPENED".
public struct Manifest: Hashable, Sendable {
  public let kind: ContentKind
  /// The file's length, and how it is cut.
  public let layout: ChunkLayout
  public let root: Digest
  /// The name as the peer sent it: any text. Use `fileName` to name a file.
  public let suggestedName: String

  /// The file's length in bytes.
  public var length: UInt64 { layout.fileLength }
  /// The chunk size as a power of two: 20 on the wire.
  public var chunkSizeLog2: UInt8 { UInt8(layout.chunkSize.trailingZeroBitCount) }
  public var fileID: FileID { FileID(kind: kind, length: length, root: root) }
  /// The suggested name as one harmless path component. Nil if nothing is left of it.
  public var fileName: String? { SuggestedName.sanitised(suggestedName) }

  /// Makes the manifest of a local file.
  public init(_ file: FileHash, suggestedName: String) {
    self.init(kind: .file, layout: file.layout, root: file.root, suggestedName: suggestedName)
  }

  /// Makes the manifest of a local content, or of one that was verified before.
  public init(kind: ContentKind, layout: ChunkLayout, root: Digest, suggestedName: String) {
    precondition(layout.chunkSize & (layout.chunkSize - 1) == 0, "a manifest tells the chunk size as a power of two")
    self.kind = kind
    self.layout = layout
    self.root = root
    self.suggestedName = suggestedName
  }

  /// Takes the fields as a peer sent them, with any values. Throws unless they hash to `fileID`.
  ///
  /// `chunkSize` and `leafSize`, in bytes, are agreed beforehand (on the wire they are fixed). A manifest cannot change
  /// them.
  /// - `folder`: the layout of a folder's contents, if the request was for those.
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
    // Anyone can compute a fileID for any length and root, also for a pair that no file has.
    guard length > 0 || root == .zero else { throw .emptyWithRoot }
    return Manifest(kind: knownKind, layout: layout, root: root, suggestedName: suggestedName)
  }
}
