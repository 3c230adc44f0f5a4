// What an update does, for people and programs.
import Content
import Posix

/// The changes that an update makes, path by path.
public struct FolderPlan: Sendable {
  public enum Change: Hashable, Sendable, CaseIterable {
    case added, changed, kept, deleted
  }

  public struct Item: Hashable, Sendable {
    public let path: String
    public let change: Change
    /// Bytes of the file; 0 for links and folders.
    public let byteCount: UInt64
  }

  /// The path of the folder that the plan is about; set by what made the plan.
  public var outputPath: String?
  /// Whether that folder exists.
  public let isUpdate: Bool
  /// In the order of the listing, then the names that are deleted.
  public let items: [Item]
  /// Bytes of files that are copied from other files on the disk.
  public let copiedByteCount: UInt64
  /// Bytes of the other files that are added or changed. If an old file has right chunks, they are not fetched.
  public let fetchedByteCount: UInt64

  /// The number of paths of a kind, and the bytes of their files.
  public func total(_ change: Change) -> (count: Int, byteCount: UInt64) {
    items.reduce((0, 0)) { $1.change == change ? ($0.0 + 1, $0.1 + $1.byteCount) : $0 }
  }

  /// The plan for an output that is not there.
  /// - `wanted`: the entries that it gets.
  public init(new layout: FolderLayout, wanted: EntrySet) {
    let listing = layout.listing
    isUpdate = false
    items = wanted.entries.map { Item(listing, $0, .added) }
    copiedByteCount = 0
    fetchedByteCount = items.reduce(0) { $0 + $1.byteCount }
  }

  init(_ plan: FolderUpdatePlan) {
    let listing = plan.listing
    let modes = Set(plan.modeChanges)
    isUpdate = true
    items =
      plan.wanted.entries.map { entry in
        if plan.kept.contains(entry) { return Item(listing, entry, modes.contains(entry) ? .changed : .kept) }
        let isThere = plan.names[entry] != nil || plan.replacedFolders[entry] != nil
        return Item(listing, entry, isThere ? .changed : .added)
      }
      + plan.deletions.map { place in
        let name = plan.scan.names[place]
        return Item(
          path: name.path.description, change: .deleted,
          byteCount: name.status.kind == .regular ? name.status.size : 0)
      }
    let missing = plan.missing.entries.filter(listing.isFile)
    copiedByteCount = missing.reduce(0) { plan.copies[$1] == nil ? $0 : $0 + listing.fileLength(of: $1) }
    fetchedByteCount = missing.reduce(0) { plan.copies[$1] == nil ? $0 + listing.fileLength(of: $1) : $0 }
  }
}

extension FolderPlan.Item {
  fileprivate init(_ listing: FolderListing, _ entry: Int, _ change: FolderPlan.Change) {
    path = listing.path(of: entry).description
    self.change = change
    byteCount = listing.isFile(entry) ? listing.fileLength(of: entry) : 0
  }
}
