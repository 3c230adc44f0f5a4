// The roots of a folder's files that updates remember.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct RootMemoryTests {
  let temporary = TemporaryFolder()
  private let content = HashedContent(root: Digest(sha256: [1].span.bytes), length: 1, chunkHashes: [])!
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

  @Test func `the root of an old file is remembered until the file changes`() throws {
    let status = try status()
    try memory().remember([RootMemory.File(path: path, status: status, content: content)], hashedFrom: later)
    #expect(try memory().content(path, status) == content)
    #expect(try memory().content(FolderPath("a/c"), status) == nil)
    temporary.write("folder/a/b", [2])
    let changed = try self.status()
    #expect(try memory().content(path, changed) == nil)
  }

  @Test func `the root of a young file is not remembered`() throws {
    let status = try status()
    try memory().remember(
      [RootMemory.File(path: path, status: status, content: content)], hashedFrom: Clock.wallNanoseconds)
    #expect(try memory().content(path, status) == nil)
  }

  @Test func `a file is old enough two seconds after its last change`() throws {
    let status = try status()
    let changed = status.changed.seconds * 1_000_000_000 + status.changed.nanoseconds
    #expect(!RootMemory.isOld(status, at: changed + RootMemory.ageMinNanoseconds - 1))
    #expect(RootMemory.isOld(status, at: changed + RootMemory.ageMinNanoseconds))
  }

  @Test func `a damaged memory is created again`() throws {
    let status = try status()
    try memory().remember([RootMemory.File(path: path, status: status, content: content)], hashedFrom: later)
    let state = try Directory(temporary("state"))
    for entry in try state.entries() { temporary.write("state/\(entry.text!)", pattern(200)) }
    #expect(try memory().content(path, status) == nil)
    try memory().remember([RootMemory.File(path: path, status: status, content: content)], hashedFrom: later)
    #expect(try memory().content(path, status) == content)
  }

  @Test func `a second update reads no file whose times are unchanged`() throws {
    var bench = UpdateBench(["a": .file(pattern(5_000)), "b": .file(pattern(3_000_000))])
    mkdir(bench.temporary("state"), 0o700)
    bench.options.stateFolder = bench.temporary("state")
    let sample = try SampleFolder(bench.items)
    // Pretend that hashing began later than it does.
    let folder = OpenFolder(try Directory(bench.output))
    let searched = try #require(
      try SearchedFolder(folder, stateFolder: bench.options.stateFolder, shouldStop: { false }))
    let memory = RootMemory(of: folder.directory, in: bench.temporary("state"))
    var hashed: [RootMemory.File] = []
    searched.findRoots(of: searched.scan.names.indices, threads: 1, shouldStop: { false }) { place, content in
      let name = searched.scan.names[place]
      #expect(content.root == sample.listing.fileRoot(of: sample.entry(name.path.description)))
      hashed.append(RootMemory.File(path: name.path, status: name.status, content: content))
    }
    #expect(hashed.map(\.content.chunkHashes.count).sorted() == [0, 3], "chunk hashes of the larger file alone")
    try #require(memory).remember(hashed, hashedFrom: later)
    // The files are gone, so their hashes can only come from memory.
    let others = try #require(
      try SearchedFolder(folder, stateFolder: bench.options.stateFolder, shouldStop: { false }))
    unlink(bench.out("a"))
    unlink(bench.out("b"))
    var known: [HashedContent] = []
    others.findRoots(of: [0, 1], threads: 1, shouldStop: { false }) { known.append($1) }
    #expect(known == hashed.map(\.content))
  }

  @Test func `remembered chunk hashes that do not lead to the root are rejected`() throws {
    let bytes = pattern(3_000_000)
    temporary.write("folder/a/b", bytes)
    let status = try status()
    var state = FileHashState()
    _ = try state.feed(bytes.span.bytes)
    let file = state.finish().file
    let tree = HashTree(file)
    #expect(HashedContent(tree).chunkHashes.count == 3)
    #expect(HashedContent(root: tree.root, length: 3_000_000, chunkHashes: tree.chunkHashes) == HashedContent(tree))
    #expect(HashedContent(root: tree.root, length: 3_000_000, chunkHashes: []) == nil)
    #expect(HashedContent(root: tree.root, length: 3_000_000, chunkHashes: tree.chunkHashes.reversed()) == nil)
    #expect(HashedContent(root: tree.root, length: 1 << 20, chunkHashes: [tree.root]) == nil)
    let memory = try memory()
    memory.remember([RootMemory.File(path: path, status: status, content: HashedContent(tree))], hashedFrom: later)
    #expect(memory.content(path, status) == HashedContent(tree))
  }
}
