// Whether an output is one that the user can mean.
import Content

extension FolderUpdatePlan {
  /// A folder that has little to do with the version is likely not the one that the user means: no file of it is kept or
  /// copied, and most of its names are not the version's, and most of the version's are not there. Only names directly in
  /// the folder count.
  func checkMatch(_ options: FolderUpdateOptions) throws(PartFileError) {
    if options.acceptsStrangeOutput || copies.values.contains(where: { $0.folder == 0 }) { return }
    if kept.entries.contains(where: { listing.isFile($0) && listing.fileLength(of: $0) > 0 }) { return }
    let names = scan.names.filter { $0.path.parent == nil && !$0.isHidden }
    let known = names.count { listing.lookUp($0.path) != .nothing }
    guard 2 * known < names.count, 2 * known < topNameCount else { return }
    throw .update(.strangeOutput(path: output.folder.directory.path))
  }

  /// How many names the version has directly in the folder.
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
