// Prepares a part folder before anything is fetched: keeps the listing, makes the folders, and refuses what cannot
// work.
import Content
import Posix

extension FolderPart {
  /// Makes the part ready. Only one thread may call it.
  func prepare() throws(PartFileError) {
    try checkNames(byteCountMax: (try? part.folder.nameByteCountMax()) ?? nil)
    try keepListing()
    let bytes = try walk(.opening)
    try checkRoom(length: bytes.length, present: bytes.present)
    try checkLinks()
    do throws(Errno) { try part.folder.sync() } catch { throw .io(error) }
  }

  /// Throws if a name is too long for the file system.
  /// - `byteCountMax`: the most bytes of a name. Nil: the file system does not say.
  func checkNames(byteCountMax: Int?) throws(PartFileError) {
    guard let byteCountMax, byteCountMax < FolderPath.componentByteCountMax else { return }
    for entry in 0..<listing.count where isWanted(entry) {
      let path = listing.path(of: entry)
      guard path.components.contains(where: { $0.utf8.count > byteCountMax }) else { continue }
      throw .cannotCreate(Errno(code: Errno.nameTooLong, call: "fstatvfs", subject: self.path(of: entry)))
    }
  }

  /// Throws if there are links and the file system has none. Links are made last, which would be too late to find out.
  private func checkLinks() throws(PartFileError) {
    guard (0..<listing.count).contains(where: { isWanted($0) && listing.linkTarget(of: $0) != nil }) else { return }
    do throws(Errno) {
      try? part.folder.remove(PartFolderName.probe)
      try part.folder.makeSymbolicLink(PartFolderName.probe, to: PartFolderName.tree)
      try part.folder.remove(PartFolderName.probe)
    } catch {
      throw makingFailure(error)
    }
  }

  // MARK: The listing

  /// Writes the listing beside the tree, unless it is there. Then a later `get` need not fetch it.
  private func keepListing() throws(PartFileError) {
    if let existing = try LockedPart.openExisting(PartFolderName.listing, in: part.folder) {
      try LockedPart.checkOurs(existing)
      if (try? ListingCache.bytes(of: existing, max: FolderListing.byteCountMax)) == listing.bytes { return }
    }
    do throws(Errno) {
      try? part.folder.remove(PartFolderName.listing)
      let file = try part.folder.open(PartFolderName.listing, [.readWrite, .createExclusive], mode: 0o600)
      try file.write(listing.bytes.span.bytes, at: 0)
      try file.syncData()
      try part.folder.sync()
      try part.parent.sync()
    } catch {
      throw makingFailure(error)
    }
  }

  // MARK: The journal

  public func openJournal() throws(PartFileError) -> JournalFile {
    try JournalFile(PartFolderName.journal, in: part.folder)
  }
}
