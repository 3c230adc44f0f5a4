// What updates remember of the files of a folder.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct RootMemoryTests {
  let temporary = TemporaryFolder()
  private let root = Digest(sha256: [1].span.bytes)
  private let path = FolderPath("a/b")

  init() {
    mkdir(temporary("state"), 0o700)
    mkdir(temporary("folder"), 0o700)
    temporary.write("folder/a/b", [1])
  }

  private func memory() throws -> RootMemory {
    let folder = try Directory(temporary("folder"))
    let memory = RootMemory(of: folder, in: temporary("state"))
    return try #require(memory)
  }

  private func status() throws -> FileStatus { try Directory(temporary("folder")).status(of: "a/b") }

  private var later: Int64 { Clock.wallNanoseconds + RootMemory.ageMinNanoseconds + 1_000_000_000 }

  @Test func `the root of an old file is known the next time, until the file changes`() throws {
    let status = try status()
    try memory().remember([(path, status, root)], hashedFrom: later)
    #expect(try memory().root(path, status) == root)
    #expect(try memory().root(FolderPath("a/c"), status) == nil)
    temporary.write("folder/a/b", [2])
    let changed = try self.status()
    #expect(try memory().root(path, changed) == nil)
  }

  @Test func `the root of a young file is not remembered`() throws {
    let status = try status()
    try memory().remember([(path, status, root)], hashedFrom: Clock.wallNanoseconds)
    #expect(try memory().root(path, status) == nil)
  }

  @Test func `a file is old enough two seconds after its last change`() throws {
    let status = try status()
    let changed = status.changed.seconds * 1_000_000_000 + status.changed.nanoseconds
    #expect(!RootMemory.isOld(status, at: changed + RootMemory.ageMinNanoseconds - 1))
    #expect(RootMemory.isOld(status, at: changed + RootMemory.ageMinNanoseconds))
  }

  @Test func `a damaged memory is made anew`() throws {
    let status = try status()
    try memory().remember([(path, status, root)], hashedFrom: later)
    let state = try Directory(temporary("state"))
    for entry in try state.entries() { temporary.write("state/\(entry.text!)", pattern(200)) }
    #expect(try memory().root(path, status) == nil)
    try memory().remember([(path, status, root)], hashedFrom: later)
    #expect(try memory().root(path, status) == root)
  }

  @Test func `a second update reads no file whose times are known`() throws {
    var bench = UpdateBench(["a": .file(pattern(5_000)), "b": .file(pattern(3_000_000))])
    mkdir(bench.temporary("state"), 0o700)
    bench.options.stateFolder = bench.temporary("state")
    let sample = try SampleFolder(bench.items)
    // As if hashing began later than it does.
    let folder = OpenFolder(try Directory(bench.output))
    let searched = try #require(
      try SearchedFolder(folder, stateFolder: bench.options.stateFolder, shouldStop: { false }))
    let memory = RootMemory(of: folder.directory, in: bench.temporary("state"))
    try #require(memory).remember(
      searched.scan.names.map { name in
        let entry = sample.entry(name.path.description)
        return (name.path, name.status, sample.listing.fileRoot(of: entry))
      }, hashedFrom: later)
    // Files that cannot be read can only be kept if they are not read.
    let others = try #require(
      try SearchedFolder(folder, stateFolder: bench.options.stateFolder, shouldStop: { false }))
    unlink(bench.out("a"))
    unlink(bench.out("b"))
    #expect(others.roots(of: [0, 1], threads: 1) { false }.count == 2)
  }
}
