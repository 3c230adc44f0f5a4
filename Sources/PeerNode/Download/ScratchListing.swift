// A temporary folder for the listing of a folder whose files go to a stream, or are not fetched.
import Content
import Posix
import Sodium
import Storage

extension DownloadTarget {
  /// Returns an unused path in the system's folder for temporary files.
  static func newScratchFolder() -> String {
    "\(Environment.variable("TMPDIR") ?? "/tmp")/p2pnode-\(Environment.processID)-\(Random.uint64())"
  }

  /// Removes the scratch folder, if there is one, with the listing in it.
  func removeScratchFolder(of folderID: FileID) {
    guard !scratchFolder.isEmpty else { return }
    let target = listing(of: folderID)
    guard let folder = try? Directory(target.folder), let entries = try? folder.entries() else { return }
    for entry in entries { if let name = entry.text { try? folder.remove(name) } }
    FolderPart.removeEmptyPart(of: folderID, inFolder: scratchFolder)
    let scratch = PathParts(scratchFolder)
    try? Directory(scratch.folder).removeDirectory(scratch.name)
  }
}
