// A folder whose files may be copied. Their hashes are looked up or computed.
import Content
import Posix
import Synchronization

/// The output of an update, or another folder that the user named, with a scan of its names.
final class SearchedFolder: Sendable {
  /// The files hashed between two calls of `shouldStop`. A bound keeps memory small, because each file needs a job.
  private static let batchCount = 4_096

  let folder: OpenFolder
  let scan: OutputScan
  private let memory: RootMemory?

  /// Reads all names. Nil if `shouldStop` returned true.
  init?(_ folder: OpenFolder, stateFolder: String?, shouldStop: () -> Bool) throws(Errno) {
    guard let scan = try OutputScan(folder, shouldStop: shouldStop) else { return nil }
    self.folder = folder
    self.scan = scan
    memory = stateFolder.flatMap { RootMemory(of: folder.directory, in: $0) }
  }

  private init(_ folder: OpenFolder, _ scan: OutputScan) { (self.folder, self.scan, memory) = (folder, scan, nil) }

  /// Makes a folder without names.
  static func empty(_ folder: OpenFolder) -> SearchedFolder { SearchedFolder(folder, OutputScan()) }

  /// Finds the hashes of the files at some places of the scan. Files with known hashes are not read. Files that cannot
  /// be read, or that change meanwhile, are left out. Once `shouldStop` returns true, the remaining files are left out
  /// too.
  /// - `found`: called once for each file, in any order.
  func findRoots(
    of places: some Sequence<Int>, threads: Int, shouldStop: @escaping @Sendable () -> Bool,
    found: (_ place: Int, HashedContent) -> Void
  ) {
    var unknown: [Int] = []
    for place in places {
      let name = scan.names[place]
      if let content = memory?.content(name.path, name.status) {
        found(place, content)
        continue
      }
      unknown.append(place)
      guard unknown.count == SearchedFolder.batchCount else { continue }
      if shouldStop() { return }
      hash(unknown, threads: threads, shouldStop: shouldStop, found)
      unknown.removeAll(keepingCapacity: true)
    }
    if !unknown.isEmpty, !shouldStop() { hash(unknown, threads: threads, shouldStop: shouldStop, found) }
  }

  private func hash(
    _ places: [Int], threads: Int, shouldStop: @escaping @Sendable () -> Bool, _ found: (Int, HashedContent) -> Void
  ) {
    let start = Clock.wallNanoseconds
    let jobs = places.compactMap { place -> HashJob? in
      let name = scan.names[place]
      return HashJob(path: name.path.description, expected: name.status, draft: nil) {
        [folder] () throws(Errno) -> File in
        try folder.directory.open(beneath: name.path.description, [.read, .nonBlocking])
      }
    }
    let byPath = Mutex<[String: HashedContent]>([:])
    let hashing = ParallelHash(jobs, shouldStop: shouldStop, onProgress: { _ in }) { job, outcome in
      if case .success(let file) = outcome { byPath.withLock { $0[job.path] = HashedContent(file.tree) } }
    }
    hashing.run(threads: max(1, min(threads, jobs.reduce(0) { $0 + $1.taskCount })))
    let hashed = byPath.withLock { $0 }
    var files: [RootMemory.File] = []
    for place in places {
      let name = scan.names[place]
      guard let content = hashed[name.path.description] else { continue }
      files.append(RootMemory.File(path: name.path, status: name.status, content: content))
      found(place, content)
    }
    memory?.remember(files, hashedFrom: start)
  }
}

/// The hashes of a file.
struct HashedContent: Hashable, Sendable {
  let root: Digest
  /// The hashes of its chunks. Empty if it has at most one.
  let chunkHashes: [Digest]

  init(_ tree: HashTree) {
    root = tree.root
    chunkHashes = tree.chunkHashes.count > 1 ? tree.chunkHashes : []
  }

  /// Nil unless the hashes fit a file of this length and lead to the root.
  init?(root: Digest, length: UInt64, chunkHashes: [Digest]) {
    (self.root, self.chunkHashes) = (root, chunkHashes)
    guard let layout = ChunkLayout(fileLength: length) else { return nil }
    if layout.chunkCount < 2 {
      guard chunkHashes.isEmpty else { return nil }
      return
    }
    guard HashTree(layout, chunkHashes: chunkHashes)?.root == root else { return nil }
  }
}
