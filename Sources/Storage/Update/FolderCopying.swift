// Copies files that the disk already has into the part folder of an update.
import Content
import Posix
import Synchronization

/// The copies of one update. A copy is trusted only after it was hashed, because its source may have changed.
final class FolderCopying {
  /// The name of a copy in the part folder until it is complete.
  private static let copyName = "copy"
  /// The bytes read at once if the kernel cannot copy.
  private static let bufferBytes = 1 << 18
  /// One thread hashes a smaller file before other threads would have started.
  private static let bytesForThreads: UInt64 = 8 << 20

  private let plan: FolderUpdatePlan
  private let part: FolderPart
  private let threads: Int
  private var complete: EntrySet
  /// All chunk hashes of the complete copies that have several chunks.
  private(set) var chunkHashes: [Int: [Digest]] = [:]

  init(_ plan: FolderUpdatePlan, _ part: FolderPart, threads: Int) {
    (self.plan, self.part, self.threads) = (plan, part, threads)
    complete = EntrySet(entryCount: plan.listing.count)
  }

  /// Makes all planned copies, and copies old files that may have right chunks. Returns the files that are not complete
  /// after that. Returns nil soon after `shouldStop` returns true.
  func run(shouldStop: @escaping @Sendable () -> Bool) throws(PartFileError) -> EntrySet? {
    for entry in plan.missing.entries where plan.listing.isFile(entry) && !shouldStop() {
      if let source = plan.copies[entry] {
        try copy(entry, from: source, isWhole: true, shouldStop: shouldStop)
      } else if let base = plan.base(of: entry), !part.isMade(entry) {
        // If the part already has the file, it has more of the new file than the old file has.
        try copy(entry, from: base, isWhole: false, shouldStop: shouldStop)
      }
    }
    try? part.part.folder.remove(FolderCopying.copyName)
    if shouldStop() { return nil }
    var missing = EntrySet(entryCount: plan.listing.count)
    for entry in plan.missing.entries where plan.listing.isFile(entry) && !complete.contains(entry) {
      if plan.listing.fileLength(of: entry) > 0 { missing.insert(entry) }
    }
    return missing
  }

  private func copy(
    _ entry: Int, from source: CopySource, isWhole: Bool, shouldStop: @escaping @Sendable () -> Bool
  ) throws(PartFileError) {
    let folder = plan.folders[source.folder]
    let name = folder.scan.names[source.place]
    guard let file = try? folder.folder.directory.open(beneath: name.path.description, [.read, .nonBlocking]),
      let status = try? file.status(), status.sameContent(as: name.status)
    else { return }
    let length = plan.listing.fileLength(of: entry)
    do throws(Errno) {
      try? part.part.folder.remove(FolderCopying.copyName)
      let mode: UInt32 = plan.listing.isExecutable(entry) ? 0o777 : 0o666
      let copy = try part.part.folder.open(FolderCopying.copyName, [.readWrite, .createExclusive], mode: mode)
      try copyBytes(of: file, count: min(length, status.size), to: copy, shouldStop)
      try copy.truncate(to: length)
      if shouldStop() { return }
      let written = try copy.status()
      let hashed = isWhole ? content(of: written, shouldStop) : nil
      let isRight = hashed?.root == plan.listing.fileRoot(of: entry)
      // Some chunks of a larger file may still be right.
      guard isRight || length > UInt64(ChunkLayout.wireChunkSize) else { return }
      try move(to: entry)
      if isRight { complete.insert(entry) }
      if isRight, let hashed, !hashed.chunkHashes.isEmpty { chunkHashes[entry] = hashed.chunkHashes }
      part.hasCopies.store(true, ordering: .relaxed)
    } catch {
      // If a source cannot be read, its entry is fetched.
      if error.subject == file.path { return }
      throw part.makingFailure(error)
    }
  }

  /// Moves the copy into the tree as the entry's file.
  private func move(to entry: Int) throws(Errno) {
    let path = plan.listing.path(of: entry)
    let folder = try part.openFolder(path.parent)
    try part.part.folder.move(FolderCopying.copyName, to: path.name.description, in: folder.directory)
    part.states.withLock { states in
      states.made.insert(entry)
      states.unsynced.insert(entry)
    }
  }

  private func copyBytes(
    of file: borrowing File, count: UInt64, to copy: borrowing File, _ shouldStop: () -> Bool
  ) throws(Errno) {
    // A step is short enough to stop after it.
    let step: UInt64 = 64 << 20
    var done: UInt64 = 0
    do throws(Errno) {
      while done < count, !shouldStop() {
        let copied = try file.copyRange(at: done, count: min(step, count - done), to: copy, at: done)
        if copied == 0 { return }
        done += copied
      }
    } catch {
      let isImpossible = [
        Errno.leavesFolder, Errno.invalid, Errno.notSupported, Errno.notImplemented, Errno.notPermitted,
      ]
      guard isImpossible.contains(error.code) else { throw error }
      try copyThroughMemory(of: file, from: done, count: count, to: copy, shouldStop)
    }
  }

  private func copyThroughMemory(
    of file: borrowing File, from start: UInt64, count: UInt64, to copy: borrowing File, _ shouldStop: () -> Bool
  ) throws(Errno) {
    var buffer = [UInt8](repeating: 0, count: FolderCopying.bufferBytes)
    var done = start
    while done < count, !shouldStop() {
      var span = buffer.mutableSpan
      var bytes = span.mutableBytes
      let read = try file.read(
        at: done, count: Int(min(UInt64(FolderCopying.bufferBytes), count - done)), into: &bytes)
      if read == 0 { return }
      try copy.write(bytes.bytes.extracting(first: read), at: done)
      done += UInt64(read)
    }
  }

  /// Hashes the copy. Nil if it cannot be read back.
  private func content(of status: FileStatus, _ shouldStop: @escaping @Sendable () -> Bool) -> HashedContent? {
    let part = part
    let job = HashJob(path: FolderCopying.copyName, expected: status, draft: nil) { () throws(Errno) -> File in
      try part.part.folder.open(FolderCopying.copyName, [.read, .noFollow])
    }
    guard let job else { return nil }
    let content = Mutex<HashedContent?>(nil)
    let hashing = ParallelHash([job], shouldStop: shouldStop, onProgress: { _ in }) { _, outcome in
      if case .success(let file) = outcome { content.withLock { $0 = HashedContent(file.tree) } }
    }
    hashing.run(threads: status.size < FolderCopying.bytesForThreads ? 1 : max(1, threads))
    return content.withLock { $0 }
  }
}

extension FolderPart {
  /// Copies files of other folders into a part whose output does not exist yet. Returns the wanted files that are not
  /// complete after that, or nil soon after `shouldStop` returns true.
  public func copyFiles(
    _ options: FolderUpdateOptions, threads: Int = Thread.processorCount,
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws(PartFileError) -> EntrySet? {
    let plan = try FolderUpdatePlan(layout, output: nil, options, threads: threads, shouldStop: shouldStop)
    guard let plan else { return nil }
    let copying = FolderCopying(plan, self, threads: threads)
    let missing = try copying.run(shouldStop: shouldStop)
    let pages = layout.pages(knowing: copying.chunkHashes)
    copiedPages.withLock { $0 = pages }
    return missing
  }
}
