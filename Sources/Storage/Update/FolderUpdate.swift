// The unfinished update of an existing output. Missing files are written beside the files of the output, and each is
// moved to its place at the end.
import Content
import Posix
import Synchronization

/// A locked output folder, which contains a part folder for the entries that it lacks. The part works as a
/// `FolderPart`; only its end differs.
///
/// Source: openat2(2) for the bound on what a path may lead to; rename(2) for the files that change at once.
public final class FolderUpdate: PartStorage {
  let plan: FolderUpdatePlan
  let part: FolderPart
  /// The output folder, which holds the lock.
  let output: OpenFolder
  let folders = DescriptorCache<FolderPath, OpenFolder>(countMax: FolderPart.openFoldersMax)
  private let keptFiles = DescriptorCache<Int, OpenPartFile>(countMax: FolderPart.openFilesMax)
  let hasPlace = Atomic<Bool>(false)
  /// Called after each entry is moved to its place. A test ends the update there.
  let afterMove: @Sendable () throws(PartFileError) -> Void
  /// Files of the output whose bytes are still missing, as far as is known without a peer.
  public let missingFiles: EntrySet
  public let knownPages: [HashPage]

  public var isResumed: Bool { part.isResumed }
  public var path: String { part.path }
  /// Whether the output already is the version.
  public var changesNothing: Bool { plan.changesNothing }
  var layout: FolderLayout { plan.layout }
  var listing: FolderListing { plan.listing }

  /// Locks the output, plans its update, and copies what the disk already has. Nil soon after `shouldStop` returns
  /// true; then the copies stay for a later update.
  /// - `outputPath`: a folder.
  public convenience init?(
    _ outputPath: String, to layout: FolderLayout, _ options: FolderUpdateOptions,
    threads: Int = Thread.processorCount, shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws(PartFileError) {
    try self.init(outputPath, to: layout, options, threads: threads, shouldStop: shouldStop) {}
  }

  init?(
    _ outputPath: String, to layout: FolderLayout, _ options: FolderUpdateOptions, threads: Int,
    shouldStop: @escaping @Sendable () -> Bool, afterMove: @escaping @Sendable () throws(PartFileError) -> Void
  ) throws(PartFileError) {
    let output = try FolderUpdate.open(outputPath)
    try FolderUpdate.lock(output)
    let plan = try FolderUpdatePlan(layout, output: output, options, threads: threads, shouldStop: shouldStop)
    guard let plan else { return nil }
    let part = try FolderPart(in: output, layout: layout, wanted: plan.missing)
    let copying = FolderCopying(plan, part, threads: threads)
    guard let missing = try copying.run(shouldStop: shouldStop) else {
      part.release()
      return nil
    }
    let kept = plan.chunkHashes.filter { plan.kept.contains($0.key) }
    knownPages = layout.pages(knowing: kept.merging(copying.chunkHashes) { $1 })
    (self.plan, self.part, self.output, self.afterMove) = (plan, part, output, afterMove)
    missingFiles = missing
  }

  /// Returns what an update would do. Writes nothing except to the folder that remembers hashes. Nil soon after
  /// `shouldStop` returns true.
  public static func plan(
    _ outputPath: String, to layout: FolderLayout, _ options: FolderUpdateOptions,
    threads: Int = Thread.processorCount, shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws(PartFileError) -> FolderPlan? {
    let output = try FolderUpdate.open(outputPath)
    return try FolderUpdatePlan(layout, output: output, options, threads: threads, shouldStop: shouldStop)
      .map(FolderPlan.init)
  }

  private static func open(_ path: String) throws(PartFileError) -> OpenFolder {
    do throws(Errno) { return OpenFolder(try Directory(path)) } catch {
      throw error.code == Errno.notFolder ? .occupied(path: path, isFolder: false) : .cannotCreate(error)
    }
  }

  private static func lock(_ output: OpenFolder) throws(PartFileError) {
    do throws(Errno) {
      if try output.directory.tryLock() { return }
    } catch {
      // Some network file systems cannot lock folders. The part folder has its own lock.
      return
    }
    throw .running(path: output.directory.path)
  }

  // MARK: Bytes

  public func write(_ bytes: RawSpan, at offset: UInt64) throws(PartFileError) { try part.write(bytes, at: offset) }

  /// Reads bytes, as `PartStorage` says, also from kept files.
  public func read(at offset: UInt64, count wanted: Int, into buffer: inout MutableRawSpan) throws(PartFileError) {
    var start = 0
    for run in layout.runs(at: offset, count: wanted) {
      if plan.kept.contains(run.entry) {
        try readKept(run, into: &buffer, from: start)
      } else {
        try part.readAll(of: run, into: &buffer, from: start)
      }
      start += run.count
    }
  }

  /// Reads from a kept file of the output. Throws if the file is no longer what was hashed.
  private func readKept(
    _ run: FolderRun, into buffer: inout MutableRawSpan, from place: Int
  ) throws(PartFileError) {
    guard let name = plan.names[run.entry] else { preconditionFailure("a kept file has a name") }
    let path = listing.path(of: run.entry).description
    let isRight: Bool
    do throws(Errno) {
      let open = try keptFiles.value(for: run.entry) { () throws(Errno) in
        OpenPartFile(try output.directory.open(beneath: path, [.read, .nonBlocking]), length: 0)
      }
      let count = try open.file.read(at: run.offset, count: run.count, into: &buffer, from: place)
      let now = try open.file.status()
      isRight = count == run.count && now.sameBytes(as: plan.scan.names[name].status)
    } catch {
      throw .io(error)
    }
    guard isRight else { throw .update(.changed(path: output.directory.path(of: path))) }
  }

  public func verifiedLeaves(
    of chunks: [ChunkOnDisk], in layout: ChunkLayout, threads: Int, shouldStop: @escaping @Sendable () -> Bool
  ) throws(PartFileError) -> [(chunk: ChunkIndex, mask: UInt64)] {
    try part.verifiedLeaves(of: chunks, in: layout, threads: threads, shouldStop: shouldStop)
  }

  public func syncData() throws(PartFileError) { try part.syncData() }

  public func syncFolder() throws(PartFileError) {
    if !hasPlace.load(ordering: .acquiring) { return try part.syncFolder() }
    do throws(Errno) { try output.directory.sync() } catch { throw .io(error) }
  }

  public func openJournal() throws(PartFileError) -> JournalFile { try part.openJournal() }

  // MARK: The end

  /// Does nothing: the plan was made for this place, and `place` checks it again.
  public func checkPlace(_ name: String, force: Bool) throws(PartFileError) {}

  public func outputPath(_ outputName: String) -> String { output.directory.path }

  /// Completes the output, as `PartStorage` says, except that the output already has its name.
  public func place(as outputName: String, force: Bool) throws(PartFileError) {
    let ending = UpdateEnding(self)
    try ending.run()
    try part.noteCompletion()
    hasPlace.store(true, ordering: .releasing)
  }

  /// Returns the finished output, as `PartStorage` says.
  public func finished(as outputName: String) throws(StoredFileError) -> any CheckedOutput {
    guard let completed = part.completed.withLock({ $0 }) else {
      preconditionFailure("only an output that is complete is finished")
    }
    do throws(Errno) {
      return CheckedFolder(
        layout, tree: OpenFolder(try output.directory.openDirectory(beneath: ".")), completed: completed)
    } catch {
      throw StoredFileError(reading: error)
    }
  }

  public func removeJournal() {
    if hasPlace.load(ordering: .acquiring) { try? part.discard() } else { part.removeJournal() }
  }

  public func release() {
    part.release()
    try? output.directory.unlock()
  }

  public func discard() throws(PartFileError) { try part.discard() }
}
