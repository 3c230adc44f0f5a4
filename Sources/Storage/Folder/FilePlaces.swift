// Tells a program where to find the complete files of a folder while other files are still fetched.
import Content
import Posix

/// The places of the files of an unfinished output. They are valid until the download ends.
public struct FilePlaces: Hashable, Sendable {
  /// The folder that holds the files which are fetched or copied.
  private let tree: String
  /// The existing output, which already holds the files that are kept.
  private let output: String
  private let kept: EntrySet?

  /// Makes the places of files that are all in one folder.
  public init(_ tree: String) { (self.tree, output, kept) = (tree, tree, nil) }

  /// - `kept`: the entries whose files are in `output`.
  init(_ tree: String, output: String, kept: EntrySet) {
    (self.tree, self.output, self.kept) = (tree, output, kept)
  }

  /// Returns the path of an entry's file, which must be complete.
  public func path(of entry: Int, in listing: FolderListing) -> String {
    "\(kept?.contains(entry) == true ? output : tree)/\(listing.path(of: entry))"
  }
}

extension FolderPart {
  /// The places of the complete files, as `PartStorage` says.
  public var filePlaces: FilePlaces? { FilePlaces(tree.directory.path) }
}

extension FolderUpdate {
  /// The places of the complete files, as `PartStorage` says.
  public var filePlaces: FilePlaces? {
    FilePlaces(part.tree.directory.path, output: output.directory.path, kept: plan.kept)
  }
}
