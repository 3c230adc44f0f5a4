// The differences between a tree on the disk and a listing, path by path.

/// A path at which a tree differs from a listing.
public struct FolderDifference: Hashable, Sendable {
  /// The type of what is at a path.
  public enum EntryType: String, Hashable, Sendable {
    case file
    case link
    case folder
    /// A FIFO, a socket or a device. No listing has one.
    case special
  }

  public enum Kind: Hashable, Sendable {
    /// The tree has nothing at the path.
    case missing
    /// The listing says nothing about the path.
    case extra
    /// The file has other bytes.
    case content
    /// The file has the right bytes, but its executable bit is wrong.
    case mode(isExecutable: Bool)
    case target(FolderPath, expected: FolderPath)
    case type(EntryType, expected: EntryType)
    /// The file or folder cannot be read.
    case unreadable(reason: String)
  }

  public let path: FolderPath
  public let kind: Kind

  public init(_ path: FolderPath, _ kind: Kind) {
    self.path = path
    self.kind = kind
  }
}

extension FolderEntry {
  /// The type of the entry.
  public var type: FolderDifference.EntryType {
    switch item {
    case .file: .file
    case .symbolicLink: .link
    case .emptyFolder: .folder
    }
  }

  /// Returns how another entry with the same path differs from this one. Nil if it does not.
  public func difference(of found: FolderEntry) -> FolderDifference.Kind? {
    switch (item, found.item) {
    case (.file(let expected, let isExecutable), .file(let content, let foundExecutable)):
      if content != expected { return .content }
      return foundExecutable == isExecutable ? nil : .mode(isExecutable: foundExecutable)
    case (.symbolicLink(let expected), .symbolicLink(let target)):
      return target == expected ? nil : .target(target, expected: expected)
    case (.emptyFolder, .emptyFolder): return nil
    default: return .type(found.type, expected: type)
    }
  }
}

extension FolderListing {
  /// Returns how a tree differs from this listing, in listing order. Takes one pass over both.
  ///
  /// A folder that has entries can differ only by its entries. If a folder is in the place of a file or link, the
  /// folder's contents are not reported as well.
  /// - `found`: the listing of the tree.
  public func differences(of found: FolderListing) -> [FolderDifference] {
    var differences: [FolderDifference] = []
    var (i, j) = (0, 0)
    while i < count || j < found.count {
      let expected = i < count ? path(of: i) : nil
      let path = j < found.count ? found.path(of: j) : nil
      if let expected, let path, expected == path {
        if let kind = self[i].difference(of: found[j]) { differences.append(FolderDifference(path, kind)) }
        (i, j) = (i + 1, j + 1)
      } else if let expected, path.map({ expected < $0 }) ?? true {
        if let path, path.isBelow(expected) {
          if !isEmptyFolder(i) {
            differences.append(FolderDifference(expected, .type(.folder, expected: self[i].type)))
            while j < found.count, found.path(of: j).isBelow(expected) { j += 1 }
          }
        } else {
          differences.append(FolderDifference(expected, .missing))
        }
        i += 1
      } else if let path {
        if let expected, expected.isBelow(path) {
          if !found.isEmptyFolder(j) {
            differences.append(FolderDifference(path, .type(found[j].type, expected: .folder)))
          }
        } else {
          differences.append(FolderDifference(path, .extra))
        }
        j += 1
      }
    }
    return differences
  }
}
