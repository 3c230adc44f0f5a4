// The entries of a folder listing.

/// A file's length and root. Together they determine its bytes.
public struct FileContent: Hashable, Sendable {
  /// Bytes.
  public let length: UInt64
  /// The root of its hash tree. 32 zero bytes if the file is empty, and only then.
  public let root: Digest

  public init(length: UInt64, root: Digest) {
    self.length = length
    self.root = root
  }

  /// The ID of the file as a single file.
  public var fileID: FileID { FileID(kind: .file, length: length, root: root) }
}

/// An entry of a folder listing. A folder with entries has no entry of its own.
public struct FolderEntry: Hashable, Sendable {
  public enum Item: Hashable, Sendable {
    case file(FileContent, isExecutable: Bool)
    /// A relative path from the folder that holds the link. It stays inside the listed folder.
    case symbolicLink(target: FolderPath)
    case emptyFolder
  }

  public let path: FolderPath
  public let item: Item

  public init(_ path: FolderPath, _ item: Item) {
    self.path = path
    self.item = item
  }

  /// The file's length and root. Nil if the entry is not a file.
  public var file: FileContent? { if case .file(let content, _) = item { content } else { nil } }
}

extension FolderEntry {
  /// The type byte of an entry in a listing.
  enum Kind: UInt8, Sendable {
    case file = 0
    case executable = 1
    case symbolicLink = 2
    case emptyFolder = 3
  }

  var kind: Kind {
    switch item {
    case .file(_, let isExecutable): isExecutable ? .executable : .file
    case .symbolicLink: .symbolicLink
    case .emptyFolder: .emptyFolder
    }
  }

  /// Appends the entry in the encoding of a listing. Path and target must fit a 16-bit length.
  func append(to out: inout [UInt8]) {
    func append(_ path: FolderPath) {
      precondition(path.utf8.count <= Int(UInt16.max), "a listing has room for the path")
      out.append(UInt8(path.utf8.count >> 8))
      out.append(UInt8(path.utf8.count & 0xff))
      out += path.utf8
    }
    out.append(kind.rawValue)
    append(path)
    switch item {
    case .file(let content, _):
      for shift in stride(from: 56, through: 0, by: -8) {
        out.append(UInt8(truncatingIfNeeded: content.length >> UInt64(shift)))
      }
      content.root.append(to: &out)
    case .symbolicLink(let target): append(target)
    case .emptyFolder: break
    }
  }
}
