// Hashing a folder into a catalogue, and looking files up in it. The results are compared with those of Content.
import Content
import Glibc
import Posix
import Storage
import Synchronization
import Testing
import TestSupport

/// Events of a load, collected from all threads.
final class Events: Sendable {
  private let all = Mutex<[CatalogueEvent]>([])
  func add(_ event: CatalogueEvent) { all.withLock { $0.append(event) } }
  var list: [CatalogueEvent] { all.withLock { $0 } }
  var added: [String] {
    all.withLock { $0 }.compactMap { if case .added(let entry) = $0 { entry.path } else { nil } }.sorted()
  }
  var skipped: [SkippedFile] {
    all.withLock { $0 }.compactMap { if case .skipped(let file) = $0 { file } else { nil } }
  }
  var progress: [HashProgress] {
    all.withLock { $0 }.compactMap { if case .progress(let now) = $0 { now } else { nil } }
  }
}

/// A catalogue over a temporary folder; its database is elsewhere.
struct Served {
  let temporary = TemporaryFolder()
  let state: TemporaryFolder
  let catalogue: Catalogue
  let events = Events()

  init(
    state: TemporaryFolder = TemporaryFolder(),
    bucketOf: @escaping @Sendable (FileID) -> UInt16 = { UInt16($0.digest.bytes[0]) }
  ) throws {
    self.state = state
    catalogue = try Catalogue(
      folder: try ServedFolder(temporary.path), stateFolder: state.path, bucketOf: bucketOf)
  }

  func load(threads: Int = 3) throws {
    catalogue.load(try FolderScan(catalogue.folder).files, threads: threads, onEvent: events.add)
  }
}

extension Catalogue {
  /// Returns all chunk hashes of an entry, page by page.
  func chunkHashes(of entry: CatalogueEntry) throws -> [Digest] {
    try (0..<entry.pages.pageCount).flatMap { try page(PageIndex(UInt32($0)), entry).chunkHashes }
  }
}

/// Returns the hash of a file as Content computes it from all bytes at once.
func reference(_ bytes: [UInt8]) throws -> (file: FileHash, leaves: [[Digest]]) {
  var state = FileHashState()
  var chunks = try state.feed(bytes.span.bytes)
  let (file, last) = state.finish()
  if let last { chunks.append(last) }
  return (file, chunks.map(\.leafHashes))
}

@Suite struct `The catalogue` {
  @Test(arguments: [0, 1, 16_384, 16_385, 1 << 20, 1 << 20 + 1, 5 << 20 + 77])
  func `a hashed file has the root, chunk hashes and leaf hashes that Content computes`(length: Int) throws {
    let served = try Served()
    let bytes = pattern(length)
    served.temporary.write("folder/file", bytes)
    try served.load()
    let expected = try reference(bytes)
    let entry = try #require(served.catalogue.entry(expected.file.fileID))
    #expect(entry.path == "folder/file" && entry.name == "file" && entry.length == UInt64(length))
    #expect(try served.catalogue.chunkHashes(of: entry) == expected.file.chunkHashes)
    #expect(entry.root == expected.file.root)
    for (i, leaves) in expected.leaves.enumerated() {
      #expect(try served.catalogue.leafHashes(of: ChunkIndex(UInt32(i)), entry).hashes == leaves)
    }
    #expect(served.events.added == ["folder/file"])
    #expect(served.events.progress.map(\.bytesDone).max() == UInt64(length))
    #expect(served.events.progress.map(\.filesDone).max() == 1)
  }

  @Test(arguments: [1, 2, 7]) func `any number of threads can hash many files`(threads: Int) throws {
    let served = try Served()
    var expected: [String: FileID] = [:]
    for i in 0..<20 {
      let bytes = pattern(i * 70_000, seed: UInt64(i))
      served.temporary.write("f\(i)", bytes)
      expected["f\(i)"] = try reference(bytes).file.fileID
    }
    try served.load(threads: threads)
    #expect(Dictionary(uniqueKeysWithValues: served.catalogue.entries.map { ($0.path, $0.fileID) }) == expected)
    #expect(served.events.skipped.isEmpty)
    #expect(served.events.progress.last?.filesTotal == 20)
  }

  @Test func `files are found by their bucket, also if several share one`() throws {
    let served = try Served(bucketOf: { _ in 77 })
    for i in 0..<3 { served.temporary.write("f\(i)", pattern(100 + i)) }
    try served.load()
    #expect(served.catalogue.candidates(bucket: 77).count == 3)
    #expect(served.catalogue.candidates(bucket: 78).isEmpty)
    let gone = try #require(served.catalogue.candidates(bucket: 77).first)
    served.catalogue.withdraw(gone)
    #expect(served.catalogue.candidates(bucket: 77).count == 2)
    #expect(!served.catalogue.candidates(bucket: 77).contains { $0 == gone })
  }

  @Test func `one of two paths with the same bytes serves, and the other replaces it when it goes`() throws {
    let served = try Served()
    let bytes = pattern(1 << 20 + 3)
    served.temporary.write("one", bytes)
    served.temporary.write("two", bytes)
    try served.load()
    #expect(served.catalogue.entries.map(\.path) == ["one", "two"])
    let fileID = try reference(bytes).file.fileID
    let first = try #require(served.catalogue.entry(fileID))
    let bucket = UInt16(fileID.digest.bytes[0])
    #expect(served.catalogue.candidates(bucket: bucket).count == 1)
    #expect(served.catalogue.withdraw(first))
    let second = try #require(served.catalogue.entry(fileID))
    #expect(second != first && second.fileID == fileID)
    #expect(served.catalogue.entry(fileID) == second)
    #expect(try served.catalogue.leafHashes(of: ChunkIndex(1), second).hashes == reference(bytes).leaves[1])
    #expect(!served.catalogue.withdraw(first), "withdrawing twice does nothing")
    #expect(served.catalogue.entry(fileID) == second)
    #expect(served.catalogue.withdraw(second))
    #expect(served.catalogue.entry(fileID) == nil && served.catalogue.entries.isEmpty)
    #expect(served.catalogue.candidates(bucket: bucket).isEmpty)
  }

  @Test func `loading a path again replaces its old entry`() throws {
    let served = try Served()
    served.temporary.write("file", pattern(10))
    try served.load()
    let old = try #require(served.catalogue.entries.first)
    served.temporary.write("file", pattern(20))
    try served.load()
    #expect(served.catalogue.entries.count == 1)
    #expect(served.catalogue.entry(old.fileID) == nil)
    #expect(!served.catalogue.withdraw(old))
    #expect(served.catalogue.entries.map(\.fileID) == [try reference(pattern(20)).file.fileID])
  }

  @Test func `a file that changed, went or is no longer a file is reported, and the rest is served`() throws {
    let served = try Served()
    for name in ["changed", "gone", "fifo", "link", "good"] { served.temporary.write(name, pattern(100)) }
    let files = try FolderScan(served.catalogue.folder).files
    served.temporary.write("changed", pattern(1), at: 100)
    for name in ["gone", "fifo", "link"] { unlink(served.temporary(name)) }
    mkfifo(served.temporary("fifo"), 0o600)
    symlink("good", served.temporary("link"))
    served.catalogue.load(files, threads: 2, onEvent: served.events.add)
    #expect(served.events.added == ["good"])
    let reasons = Dictionary(uniqueKeysWithValues: served.events.skipped.map { ($0.path, $0.reason) })
    #expect(reasons["changed"] == .changed)
    #expect(reasons["fifo"] == .notRegular)
    let codes = reasons.compactMapValues { if case .io(let errno) = $0 { errno.code } else { nil } }
    #expect(codes == ["gone": ENOENT, "link": ELOOP])
  }

  @Test func `a file that changes while it is hashed is reported and not served`() throws {
    let served = try Served()
    served.temporary.write("file", pattern(4 << 20))
    served.temporary.write("other", pattern(5))
    let temporary = served.temporary
    // One thread, so that the change is certain to happen between two chunks of the file.
    let hasChanged = Mutex(false)
    served.catalogue.load(try FolderScan(served.catalogue.folder).files, threads: 1) { event in
      if case .progress = event, !hasChanged.withLock({ $0 }) {
        hasChanged.withLock { $0 = true }
        temporary.write("file", [1, 2, 3], at: 3 << 20)
        utimes(temporary("file"), nil)
      }
      served.events.add(event)
    }
    #expect(served.events.skipped == [SkippedFile(path: "file", reason: .changed)])
    #expect(served.events.added == ["other"])
    #expect(served.events.progress.last?.filesDone == 2)
  }

  @Test func `a file that is truncated while it is hashed is reported and not served`() throws {
    let served = try Served()
    served.temporary.write("file", pattern(4 << 20))
    let temporary = served.temporary
    served.catalogue.load(try FolderScan(served.catalogue.folder).files, threads: 1) { event in
      if case .progress = event { truncate(temporary("file"), 2 << 20) }
      served.events.add(event)
    }
    #expect(served.events.skipped == [SkippedFile(path: "file", reason: .changed)])
    #expect(served.catalogue.entries.isEmpty)
  }

  @Test func `hashing stops soon after a stop is requested`() throws {
    let served = try Served()
    for i in 0..<20 { served.temporary.write("f\(i)", pattern(10 + i)) }
    let count = Mutex(0)
    served.catalogue.load(
      try FolderScan(served.catalogue.folder).files, threads: 1,
      shouldStop: { count.withLock { $0 >= 3 } },
      onEvent: { if case .progress = $0 { count.withLock { $0 += 1 } } })
    #expect(served.catalogue.entries.count == 3)
  }

  @Test(arguments: [1, 4]) func `hashing one file gives its fileID and reports progress`(threads: Int) throws {
    let temporary = TemporaryFolder()
    let bytes = pattern(9 << 20 + 12_345)
    temporary.write("file", bytes)
    symlink("file", temporary("link"))
    let done = Mutex<[UInt64]>([])
    let (fileID, tree) = try hashFile(
      temporary("link"), threads: threads, onProgress: { now in done.withLock { $0.append(now.bytesDone) } })
    #expect(try fileID == reference(bytes).file.fileID)
    #expect(tree.pages.layout.fileLength == UInt64(bytes.count))
    #expect(done.withLock { $0.count } == 10 && done.withLock { $0.max() } == UInt64(bytes.count))
  }

  @Test func `hashing a folder, a FIFO or a missing file is an error and does not block`() throws {
    let temporary = TemporaryFolder()
    mkfifo(temporary("fifo"), 0o600)
    #expect(throws: SkipReason.notRegular) { try hashFile(temporary("fifo")) }
    #expect(throws: SkipReason.notRegular) { try hashFile(temporary.path) }
    #expect(throws: SkipReason.io(Errno(code: ENOENT, call: "open", subject: temporary("none")))) {
      try hashFile(temporary("none"))
    }
    temporary.write("file", pattern(3))
    #expect(throws: SkipReason.stopped) { try hashFile(temporary("file"), shouldStop: { true }) }
  }
}
