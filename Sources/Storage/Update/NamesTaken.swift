// Names that a version needs, and that something else has.
import Content
import Posix

extension FolderUpdatePlan {
  /// A name that the scan did not see must be free. If it is not, the file system takes another name for it.
  func checkAbsence() throws(PartFileError) {
    let folder = output.folder
    let taken = FolderUpdatePlan.firstTaken(by: missing, of: listing, scan) {
      try? folder.directory.status(of: $0.description)
    }
    if let taken { throw self.taken(taken.path, by: taken.status) }
  }

  /// The first path that missing entries need, that the scan did not see, and that is not free. It is that of an entry, or
  /// of a folder above it.
  /// - `status`: what a path of the output is; nil: nothing.
  static func firstTaken(
    by missing: EntrySet, of listing: FolderListing, _ scan: OutputScan, status: (FolderPath) -> FileStatus?
  ) -> (path: FolderPath, status: FileStatus)? {
    // The entries of a new folder follow on each other, and all need it first.
    var last: FolderPath?
    for entry in missing.entries {
      guard let path = scan.firstUnseen(on: listing.path(of: entry)), path != last else { continue }
      last = path
      if let taken = status(path) { return (path, taken) }
    }
    return nil
  }

  /// The error for a name that is taken although the scan did not see it.
  func taken(_ path: FolderPath, by status: FileStatus) -> PartFileError {
    let folder = output.folder
    let other = scan.names.first { $0.status.identity == status.identity && $0.path.parent == path.parent }
    guard let other else { return .update(.changed(path: folder.directory.path(of: path.description))) }
    return .sameName(
      path: folder.directory.path(of: path.description), other: folder.directory.path(of: other.path.description))
  }
}
