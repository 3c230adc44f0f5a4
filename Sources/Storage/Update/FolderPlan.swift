// Describes what an update will do, for people and programs.
import Content
import Posix

/// The changes of an update, path by path.
public struct FolderPlan: Sendable {
  public enum Change: Hashable, Sendable, CaseIterable {
    case added, changed, kept, deleted
  }

  public struct Item: Hashable, Sendable {
    public let path: String
    public let change: Change
    /// The bytes of the file. 0 for links and folders.
    public let byteCount: UInt64
  }

  /// The path of the output folder. The maker of the plan sets it.
  public var outputPath: String?
  /// Whether that folder exists.
  public let isUpdate: Bool
  /// The entries in the order of the listing, then the deleted names.
  public let items: [Item]
  /// The bytes of files that are copied from other files on the disk.
  public let copiedByteCount: UInt64
  /// The bytes of the other added or changed files. Right chunks of an old file are not fetched.
  public let fetchedByteCount: UInt64

  /// Returns the number of paths with a change, and the bytes of their files.
  public func total(_ change: Change) -> (count: Int, byteCount: UInt64) {
    items.reduce((0, 0)) { $1.change == change ? ($0.0 + 1, $0.1 + $1.byteCount) : $0 }
  }

  /// Makes the plan for an output that does not exist.
  /// - `wanted`: the entries that the output gets.
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
