// Checks a folder against a listing, file by file.
import Content
import Posix

/// The differences between a folder on the disk and a listing. The check writes nothing.
///
/// The serving rules decide which other names count as extra. Each entry of the listing is checked, whatever the rules
/// say about its name.
public struct FolderCheck: Sendable {
  /// The differences in the order of listings.
  public let differences: [FolderDifference]

  /// Compares a folder with a listing. Hashes the listed files that `hashed` left out.
  /// - `path`: the folder that was hashed.
  /// - `rules`: the rules by which it was hashed.
  public init(
    _ path: String, _ hashed: HashedFolder, against listing: FolderListing, rules: ServingRules = ServingRules(),
    threads: Int = Thread.processorCount, onProgress: @escaping @Sendable (HashProgress) -> Void = { _ in }
  ) throws(ListingError) {
    let folder = try attempt({ () throws(Errno) in try ServedFolder(path, rules: rules) }, orThrow: ListingError.io)
    let found = listing.differences(of: hashed.loaded.layout.listing)
    var looks: [Int: Look] = [:]
    for (place, difference) in found.enumerated() where difference.kind == .missing {
      looks[place] = FolderCheck.look(at: difference.path, in: folder)
    }
    let hashes = FolderCheck.hash(looks, found, listing, folder, threads: threads, onProgress)
    differences = found.enumerated().compactMap { place, difference in
      guard let look = looks[place] else { return difference }
      let kind = FolderCheck.kind(look, hashes[BytePath(difference.path.description)], listing, difference.path)
      return kind.map { FolderDifference(difference.path, $0) }
    }
  }

  /// What the disk has at a path that the folder's own listing left out.
  private enum Look {
    case nothing
    case folder
    case special
    case link(FolderPath)
    case file(FileStatus)
    case unreadable(String)
  }

  private static func look(at path: FolderPath, in folder: ServedFolder) -> Look {
    do throws(Errno) {
      let parent = try folder.directory.openDirectory(beneath: path.parent?.description ?? ".")
      let name = path.name.description
      var status = try parent.status(of: name)
      if status.kind == .symbolicLink {
        guard folder.rules.followsLinks, let target = try? parent.status(ofTarget: name), target.kind == .regular
        else { return .link(FolderPath(utf8: try parent.readLink(name))) }
        status = target
      }
      switch status.kind {
      case .regular: return .file(status)
      case .directory: return .folder
      case .symbolicLink, .other: return .special
      }
    } catch {
      // Nothing can lie below a parent that is a file or a link.
      let codes = [Errno.noEntry, Errno.notFolder, Errno.symbolicLink, Errno.leavesFolder]
      return codes.contains(error.code) ? .nothing : .unreadable(error.reason)
    }
  }

  /// Hashes the files whose length is right.
  private static func hash(
    _ looks: [Int: Look], _ found: [FolderDifference], _ listing: FolderListing, _ folder: ServedFolder, threads: Int,
    _ onProgress: @escaping @Sendable (HashProgress) -> Void
  ) -> [BytePath: Result<HashedFile, SkipReason>] {
    let jobs = looks.keys.sorted().compactMap { place -> HashJob? in
      let path = found[place].path
      guard case .file(let status) = looks[place], case .entry(let entry) = listing.lookUp(path), listing.isFile(entry),
        listing.fileLength(of: entry) == status.size
      else { return nil }
      return HashJob(path: path.description, expected: status, draft: nil) { () throws(Errno) -> File in
        try folder.open(path.description)
      }
    }
    return ParallelHash.outcomes(of: jobs, threads: threads, onProgress: onProgress)
  }

  /// Returns the difference at a path. Nil if the disk matches the listing.
  private static func kind(
    _ look: Look, _ hash: Result<HashedFile, SkipReason>?, _ listing: FolderListing, _ path: FolderPath
  ) -> FolderDifference.Kind? {
    guard case .entry(let number) = listing.lookUp(path) else { preconditionFailure("the listing has what is missing") }
    let entry = listing[number]
    switch look {
    case .nothing: return .missing
    case .unreadable(let reason): return .unreadable(reason: reason)
    case .special: return .type(.special, expected: entry.type)
    case .folder: return entry.difference(of: FolderEntry(path, .emptyFolder))
    case .link(let target): return entry.difference(of: FolderEntry(path, .symbolicLink(target: target)))
    case .file(let status):
      guard entry.type == .file else { return .type(.file, expected: entry.type) }
      switch hash {
      case nil: return .content
      case .failure(.io(let errno)): return .unreadable(reason: errno.reason)
      case .failure(let reason): return .unreadable(reason: "\(reason)")
      case .success(let file):
        let content = FileContent(length: status.size, root: file.tree.root)
        return entry.difference(of: FolderEntry(path, .file(content, isExecutable: status.isExecutable)))
      }
    }
  }
}
