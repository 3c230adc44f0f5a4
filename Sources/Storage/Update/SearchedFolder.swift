// A folder whose files may be copied: what they hash to is looked up, or found out.
import Content
import Posix
import Synchronization

/// The output of an update, or another folder that the user named, with the names in it.
final class SearchedFolder: Sendable {
  /// Files that are hashed between two looks at whether hashing shall stop, so that not all jobs are in memory.
  private static let batchCount = 4_096

  let folder: OpenFolder
  let scan: OutputScan
  private let memory: RootMemory?

  /// Reads all names. Nil if `shouldStop` said so.
  init?(_ folder: OpenFolder, stateFolder: String?, shouldStop: () -> Bool) throws(Errno) {
    guard let scan = try OutputScan(folder, shouldStop: shouldStop) else { return nil }
    self.folder = folder
    self.scan = scan
    memory = stateFolder.flatMap { RootMemory(of: folder.directory, in: $0) }
  }

  private init(_ folder: OpenFolder, _ scan: OutputScan) { (self.folder, self.scan, memory) = (folder, scan, nil) }

  /// A folder without names.
  static func empty(_ folder: OpenFolder) -> SearchedFolder { SearchedFolder(folder, OutputScan()) }

  /// The roots of files, by their places in the scan. A file that cannot be read, or changes meanwhile, has none.
  /// What is known is not read. After `shouldStop` says so, roots are missing.
  func roots(
    of places: [Int], threads: Int, shouldStop: @escaping @Sendable () -> Bool
  ) -> [Int: Digest] {
    var roots: [Int: Digest] = [:]
    var unknown: [Int] = []
    for place in places {
      let name = scan.names[place]
      if let root = memory?.root(name.path, name.status) { roots[place] = root } else { unknown.append(place) }
    }
    for start in stride(from: 0, to: unknown.count, by: SearchedFolder.batchCount) where !shouldStop() {
      let batch = Array(unknown[start..<min(start + SearchedFolder.batchCount, unknown.count)])
      roots.merge(hash(batch, threads: threads, shouldStop: shouldStop)) { $1 }
    }
    return roots
  }

  private func hash(
    _ places: [Int], threads: Int, shouldStop: @escaping @Sendable () -> Bool
  ) -> [Int: Digest] {
    let start = Clock.wallNanoseconds
    let jobs = places.compactMap { place -> HashJob? in
      let name = scan.names[place]
      return HashJob(path: name.path.description, expected: name.status, draft: nil) {
        [folder] () throws(Errno) -> File in
        try folder.directory.open(beneath: name.path.description, [.read, .nonBlocking])
      }
    }
    let byPath = Mutex<[String: Digest]>([:])
    let hashing = ParallelHash(jobs, shouldStop: shouldStop, onProgress: { _ in }) { job, outcome in
      if case .success(let file) = outcome { byPath.withLock { $0[job.path] = file.tree.root } }
    }
    hashing.run(threads: max(1, min(threads, jobs.reduce(0) { $0 + $1.taskCount })))
    let found = byPath.withLock { $0 }
    var roots: [Int: Digest] = [:]
    for place in places { roots[place] = found[scan.names[place].path.description] }
    memory?.remember(
      roots.map { (scan.names[$0.key].path, scan.names[$0.key].status, $0.value) }, hashedFrom: start)
    return roots
  }
}
