// The leaves of some files of a folder.

extension WantedLeaves {
  /// The leaves of some files of a folder, and no others.
  /// - `files`: numbers of entries. Entries that are not files mean nothing.
  public init(of files: EntrySet, in layout: FolderLayout) {
    let listing = layout.listing
    let wanted = (0..<listing.count).filter { listing.isFile($0) && files.contains($0) }
    let others = (0..<listing.count).filter { listing.isFile($0) && !files.contains($0) }
    let bytes = { (entries: [Int]) in entries.reduce(UInt64(0)) { $0 + listing.fileLength(of: $1) } }
    // Only chunks that differ from the others take memory.
    if bytes(others) <= bytes(wanted) {
      self = .all
      for entry in others { for (chunk, leaves) in layout.places(ofFile: entry) { remove(leaves, of: chunk) } }
    } else {
      self = .none
      for entry in wanted { for (chunk, leaves) in layout.places(ofFile: entry) { insert(leaves, of: chunk) } }
    }
  }
}
