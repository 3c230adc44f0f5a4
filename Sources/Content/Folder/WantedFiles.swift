// The wanted leaves when a user wants only some files of a folder.

extension WantedLeaves {
  /// Makes the set of all leaves of some files of a folder.
  /// - `files`: numbers of entries. Entries that are not files are ignored.
  public init(of files: EntrySet, in layout: FolderLayout) {
    let listing = layout.listing
    let wanted = (0..<listing.count).filter { listing.isFile($0) && files.contains($0) }
    let others = (0..<listing.count).filter { listing.isFile($0) && !files.contains($0) }
    let bytes = { (entries: [Int]) in entries.reduce(UInt64(0)) { $0 + listing.fileLength(of: $1) } }
    // Only chunks that differ from the default take memory, so start from the side with more bytes.
    if bytes(others) <= bytes(wanted) {
      self = .all
      for entry in others { for (chunk, leaves) in layout.places(ofFile: entry) { remove(leaves, of: chunk) } }
    } else {
      self = .none
      for entry in wanted { for (chunk, leaves) in layout.places(ofFile: entry) { insert(leaves, of: chunk) } }
    }
  }
}
