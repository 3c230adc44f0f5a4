// Hashes all files of a folder to show or check its ID. Keeps nothing.
import Content
import Posix

/// A folder and its listing.
public struct HashedFolder: Sendable {
  public let loaded: LoadedListing
  /// The folder's name.
  public let name: String
  public let leftOut: LeftOutCounts
  /// The files and folders that could not be read. The listing leaves them out.
  public let skipped: [SkippedFile]

  public var folderID: FileID { loaded.layout.folderID }
  /// The bytes of all files.
  public var contentsLength: UInt64 { loaded.layout.listing.contentsLength }

  /// Hashes the files on `threads` threads. `onProgress` is called on any of these threads, after each chunk.
  public init(
    _ path: String, rules: ServingRules = ServingRules(), threads: Int = Thread.processorCount,
    shouldStop: @escaping @Sendable () -> Bool = { false },
    onProgress: @escaping @Sendable (HashProgress) -> Void = { _ in }
  ) throws(ListingError) {
    let folder = try attempt({ () throws(Errno) in try ServedFolder(path, rules: rules) }, orThrow: ListingError.io)
    let scan = try attempt({ () throws(Errno) in try FolderScan(folder) }, orThrow: ListingError.io)
    let jobs = scan.files.compactMap { file in
      HashJob(path: file.path, expected: file.status, draft: nil) { () throws(Errno) -> File in
        try folder.open(file.path)
      }
    }
    let hashed = ParallelHash.outcomes(of: jobs, threads: threads, shouldStop: shouldStop, onProgress: onProgress)
    let made = try FolderLister.list("", of: folder) { path, status in
      if ChunkLayout(fileLength: status.size) == nil { return .leftOut(.unreadable) }
      switch hashed[BytePath(path)] {
      case .success(let file)? where status.sameContentButAttributes(as: file.status):
        return .content(FileContent(length: status.size, root: file.tree.root))
      case .success?, .failure(.changed)?, .failure(.stopped)?, nil: return .changing
      case .failure?: return .leftOut(.unreadable)
      }
    }
    do throws(FolderListingFault) { loaded = try LoadedListing(made.listing) } catch { throw .fault(error) }
    name = folder.name
    leftOut = made.leftOut
    let failed = hashed.compactMap { path, outcome in
      if case .failure(let reason) = outcome { SkippedFile(path: path.text, reason: reason) } else { nil }
    }
    skipped = scan.skipped + failed.sorted { $0.path < $1.path }
  }
}
