// Where a program finds the files of a folder that are complete while others are still fetched.
import Content
import Posix

/// The places of the files of an unfinished output. They are there until the download is over.
public struct FilePlaces: Hashable, Sendable {
  /// The folder that holds the files which are fetched or copied.
  private let tree: String
  /// An output that is there already holds the files which are kept.
  private let output: String
  private let kept: EntrySet?

  /// All files are in one folder.
  public init(_ tree: String) { (self.tree, output, kept) = (tree, tree, nil) }

  /// - `kept`: entries of files that are in `output`.
  init(_ tree: String, output: String, kept: EntrySet) {
    (self.tree, self.output, self.kept) = (tree, output, kept)
  }

  /// The path of the file of an entry, which must be complete.
  public func path(of entry: Int, in listing: FolderListing) -> String {
    "\(kept?.contains(entry) == true ? output : tree)/\(listing.path(of: entry))"
  }
}

extension FolderPart {
  /// As `PartStorage` says.
  public var filePlaces: FilePlaces? { FilePlaces(tree.directory.path) }
}

extension FolderUpdate {
  /// As `PartStorage` says.
  public var filePlaces: FilePlaces? {
    FilePlaces(part.tree.directory.path, output: output.directory.path, kept: plan.kept)
  }
}
