// Checks whether an output is a folder that the user can mean.
import Content

extension FolderUpdatePlan {
  /// Throws if the folder has little to do with the version, so that the user probably means another one: no file of it
  /// is kept or copied, most of its names are not in the version, and most of the version's names are not in it. Only
  /// names directly in the folder count. If the version's folder lies inside this one, its files do not count as
  /// copied.
  func checkMatch(_ options: FolderUpdateOptions) throws(PartFileError) {
    if options.acceptsStrangeOutput || copies.contains(where: { isRenamed($0.key, from: $0.value) }) { return }
    if kept.entries.contains(where: { listing.isFile($0) && listing.fileLength(of: $0) > 0 }) { return }
    let names = scan.names.filter { $0.path.parent == nil && !$0.isHidden }
    let known = names.count { listing.lookUp($0.path) != .nothing }
    guard 2 * known < names.count, 2 * known < topNameCount else { return }
    throw .update(.strangeOutput(path: output.folder.directory.path))
  }

  /// Whether a file is copied from another name in the output, rather than from the same path in a subfolder.
  private func isRenamed(_ entry: Int, from source: CopySource) -> Bool {
    guard source.folder == 0 else { return false }
    let below = [UInt8(ascii: "/")] + listing.path(of: entry).utf8
    return !scan.names[source.place].path.utf8.reversed().starts(with: below.reversed())
  }

  /// Throws if the plan needs more changes than the options allow.
  /// - `candidates`: files that may be right, before they are hashed. Nil: all files are hashed.
  func checkChanges(_ options: FolderUpdateOptions, rightIfHashed candidates: EntrySet?) throws(PartFileError) {
    guard options.changes != .all else { return }
    var (missing, first) = (missing, Int?.none)
    if let candidates { missing.subtract(candidates) }
    for entry in missing.entries {
      if names[entry] != nil || replacedFolders[entry] != nil { throw otherVersion(listing.path(of: entry), .content) }
      if first == nil { first = entry }
    }
    if let place = obstacles.first { throw otherVersion(scan.names[place].path, .content) }
    if let entry = modeChanges.first { throw otherVersion(listing.path(of: entry), .content) }
    guard let first else { return }
    guard options.changes == .additions else { throw otherVersion(listing.path(of: first), .missing) }
    if let other = scan.names.first(where: { listing.lookUp($0.path) == .nothing }) {
      throw otherVersion(other.path, .unlisted)
    }
  }

  private func otherVersion(_ path: FolderPath, _ difference: VersionMismatch) -> PartFileError {
    .update(.otherVersion(folder: output.folder.directory.path, path: path.description, difference))
  }

  /// Whether the output already is the version.
  var changesNothing: Bool { missing.isEmpty && modeChanges.isEmpty && deletions.isEmpty }

  /// The number of names that the version has directly in the folder.
  private var topNameCount: Int {
    var (count, last) = (0, FolderPath?.none)
    for entry in wanted.entries {
      let name = listing.path(of: entry).first
      if name != last { count += 1 }
      last = name
    }
    return count
  }
}
