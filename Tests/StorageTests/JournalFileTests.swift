// The journal file, and which leaves of a part file are trusted with and without it.
import Content
import Glibc
import Posix
import Testing
import TestSupport

@testable import Storage

@Suite struct `A journal file` {
  let temporary = TemporaryFolder()
  let bytes = pattern(3 << 20 + 5000)

  private var file: FileHash { get throws { try reference(bytes).file } }
  private var fileID: FileID { get throws { try file.fileID } }
  private var name: String { get throws { JournalFile.name(of: try fileID) } }

  private func make() throws -> PartFile {
    try PartFile(inFolder: temporary.path, fileID: try fileID, length: UInt64(bytes.count))
  }

  @Test func `a journal is beside its part file, private to its owner, and only appended to`() throws {
    let part = try make()
    let journal = try part.openJournal()
    #expect(try name == ".\(fileID.hex.prefix(16)).p2p-journal" && journal.path == temporary(try name))
    #expect(temporary.mode(try name) == 0o600)
    #expect(try journal.bytes() == [])
    try journal.append([1, 2, 3])
    try journal.append([4])
    try journal.syncData()
    #expect(try journal.bytes() == [1, 2, 3, 4])
    try journal.truncate(to: 2)
    try journal.append([9])
    #expect(temporary.read(try name) == [1, 2, 9])
    #expect(JournalFile.peek(inFolder: temporary.path, fileID: try fileID) == [1, 2, 9])
  }

  @Test func `a journal stays with its part file, and goes when the output has its name or is discarded`() throws {
    try make().openJournal().append([1, 2])
    let second = try make()
    #expect(try second.openJournal().bytes() == [1, 2])
    try second.place(as: "out", force: false)
    second.removeJournal()
    second.removeJournal()
    #expect(temporary.names == ["out"])
    let third = try make()
    _ = try third.openJournal()
    try third.discard()
    #expect(temporary.names == ["out"])
  }

  @Test func `a journal that p2pnode did not make is neither read nor written`() throws {
    temporary.write("victim", [1])
    let part = try make()
    func expectForeign(_ what: String) throws {
      let path = temporary(try name)
      #expect(throws: PartFileError.foreign(path: path, what: what)) { try part.openJournal() }
      #expect(JournalFile.peek(inFolder: temporary.path, fileID: try fileID) == [])
      unlink(path)
    }
    symlink("victim", temporary(try name))
    try expectForeign("a symbolic link")
    link(temporary("victim"), temporary(try name))
    try expectForeign("a file with another hard link")
    mkfifo(temporary(try name), 0o600)
    try expectForeign("not a regular file")
    #expect(temporary.read("victim") == [1])
  }

  @Test func `leaves of an unfinished chunk count one by one if their hashes are known`() throws {
    let part = try make()
    let layout = try file.layout
    for leaf in [0, 2, 63] {
      let start = 1 << 20 + leaf * layout.leafSize
      try part.write(Array(bytes[start..<start + layout.leafSize]).span.bytes, at: UInt64(start))
    }
    let chunk = Array(bytes[1 << 20..<2 << 20])
    let hashes = MerkleTree.leafHashes(chunk.span.bytes, leafSize: layout.leafSize)
    let hash = try file.chunkHashes[1]
    let known = ChunkOnDisk(ChunkIndex(1), hash: hash, leafHashes: hashes)
    let found = try part.verifiedLeaves(of: [known], in: layout)
    #expect(found.map(\.chunk) == [ChunkIndex(1)] && found.map(\.mask) == [1 | 1 << 2 | 1 << 63])
    #expect(try part.verifiedLeaves(of: [ChunkOnDisk(ChunkIndex(1), hash: hash)], in: layout).isEmpty)
    #expect(try part.verifiedLeaves(of: [ChunkOnDisk(ChunkIndex(1), hash: hash, claimed: 1)], in: layout).isEmpty)
  }

  @Test func `many threads verify the same leaves as one thread, in order`() throws {
    let part = try make()
    let file = try file
    for start in stride(from: 0, to: bytes.count, by: 65_536) {
      try part.write(Array(bytes[start..<min(start + 65_536, bytes.count)]).span.bytes, at: UInt64(start))
    }
    for threads in [1, 3, 16] {
      #expect(
        try part.verifiedChunks(from: 0, hashes: file.chunkHashes, in: file.layout, threads: threads) == [0, 1, 2, 3])
    }
  }

  private enum Content: Hashable { case nothing, wanted(path: String), other(path: String) }

  private func content(of name: String) throws -> Content {
    let place = try PartFile.content(
      of: name, inFolder: temporary.path, fileID: try fileID, length: UInt64(bytes.count))
    return switch place {
    case .nothing: .nothing
    case .wanted(let found): .wanted(path: found.path)
    case .other(let path, _): .other(path: path)
    }
  }

  @Test func `an output that has the wanted bytes is found, and its leftovers are removed`() throws {
    try make().openJournal().append([1])
    #expect(try content(of: "out") == .nothing)
    temporary.write("out", bytes)
    #expect(try content(of: "out") == .wanted(path: temporary("out")))
    #expect(temporary.names == ["out"])
    symlink("out", temporary("link"))
    mkdir(temporary("folder"), 0o755)
    temporary.write("short", Array(bytes.dropLast()))
    temporary.write("wrong", [bytes[0] ^ 1] + bytes.dropFirst())
    for name in ["link", "folder", "short", "wrong"] {
      #expect(try content(of: name) == .other(path: temporary(name)))
    }
    let held = try make()
    #expect(try content(of: "out") == .wanted(path: temporary("out")))
    #expect(temporary.exists(held.name), "another get is at it")
  }
}
