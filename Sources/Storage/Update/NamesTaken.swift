// Checks that the new names of a version are free in the output.
import Content
import Posix

extension FolderUpdatePlan {
  /// Throws if a name is taken that the scan did not see. The file system then treats another name as equal to it.
  func checkAbsence() throws(PartFileError) {
    let folder = output.folder
    let taken = FolderUpdatePlan.firstTaken(by: missing, of: listing, scan) {
      try? folder.directory.status(of: $0.description)
    }
    if let taken { throw self.taken(taken.path, by: taken.status) }
  }

  /// Returns the first path that missing entries need and the scan did not see, but that is taken. It is the path of an
  /// entry or of a folder above it.
  /// - `status`: returns what is at a path of the output. Nil: nothing.
  static func firstTaken(
    by missing: EntrySet, of listing: FolderListing, _ scan: OutputScan, status: (FolderPath) -> FileStatus?
  ) -> (path: FolderPath, status: FileStatus)? {
    // The entries of a new folder follow each other, and all of them need the folder first.
    var last: FolderPath?
    for entry in missing.entries {
      guard let path = scan.firstUnseen(on: listing.path(of: entry)), path != last else { continue }
      last = path
      if let taken = status(path) { return (path, taken) }
    }
    return nil
  }

  /// Returns the error for a name that is taken although the scan did not see it.
  func taken(_ path: FolderPath, by status: FileStatus) -> PartFileError {
    let folder = output.folder
    let other = scan.names.first { $0.status.identity == status.identity && $0.path.parent == path.parent }
    guard let other else { return .update(.changed(path: folder.directory.path(of: path.description))) }
    return .sameName(
      path: folder.directory.path(of: path.description), other: folder.directory.path(of: other.path.description))
  }
}
