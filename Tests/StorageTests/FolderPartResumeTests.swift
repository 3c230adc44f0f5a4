// A part folder after a crash: which leaves are trusted, and that the rest completes it.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct `A part folder of an earlier download` {
  let temporary = TemporaryFolder()

  private func tree(_ sample: SampleFolder) -> String {
    FolderPart.name(of: sample.layout.folderID) + "/tree/"
  }

  private func masks(_ found: [(chunk: ChunkIndex, mask: UInt64)]) -> [UInt32: UInt64] {
    Dictionary(uniqueKeysWithValues: found.map { ($0.chunk.rawValue, $0.mask) })
  }

  @Test(arguments: 0..<6) func `after a crash every written leaf counts and no other`(seed: UInt64) throws {
    let sample = try SampleFolder.varied()
    var generator = SeededGenerator(seed)
    let pieces = sample.pieces.shuffled(using: &generator)
    let written = Int.random(in: 0..<pieces.count, using: &generator)
    do {
      let part = try FolderPart(inFolder: temporary.path, layout: sample.layout)
      for piece in pieces[..<written] { try part.write(piece) }
      // The crash tears one write.
      let torn = pieces[written]
      try part.write(Array(torn.bytes[..<(torn.bytes.count / 3)]), at: torn.offset)
    }
    let part = try FolderPart(inFolder: temporary.path, layout: sample.layout)
    #expect(part.isResumed)
    var due: [UInt32: UInt64] = [:]
    for piece in pieces[..<written] { due[piece.chunk.rawValue, default: 0] |= piece.leaves.mask }
    let found = masks(
      try part.verifiedLeaves(of: sample.chunks(withLeafHashes: true), in: sample.cut, threads: 3) { false })
    for (chunk, mask) in due { #expect(found[chunk, default: 0] & mask == mask) }
    for (chunk, mask) in found where chunk != pieces[written].chunk.rawValue { #expect(due[chunk] == mask) }
    #expect(
      found[pieces[written].chunk.rawValue, default: 0] & ~due[pieces[written].chunk.rawValue, default: 0]
        != pieces[written].leaves.mask)
    // Without leaf hashes, only whole chunks of large files and whole small files can be verified.
    let whole = masks(try part.verifiedLeaves(of: sample.chunks(withLeafHashes: false), in: sample.cut))
    for (chunk, mask) in whole { #expect(found[chunk]! & mask == mask) }
    for (chunk, mask) in found where mask == sample.cut.leaves(of: ChunkIndex(chunk)).mask {
      #expect(whole[chunk] == mask)
    }
    for piece in pieces where found[piece.chunk.rawValue, default: 0] & piece.leaves.mask != piece.leaves.mask {
      try part.write(piece)
    }
    try part.place(as: "out", force: false)
    part.removeJournal()
    #expect(SampleFolder.items(below: temporary("out")) == sample.items)
  }

  @Test func `a resume finds no leaf where a file is missing, too short or wrong`() throws {
    let sample = try SampleFolder([
      "gone": .file(pattern(100)), "long": .file(pattern(300, seed: 2)), "right": .file(pattern(200, seed: 3)),
      "short": .file(pattern(40_000, seed: 4)), "wrong": .file(pattern(500, seed: 5)),
    ])
    do {
      let part = try FolderPart(inFolder: temporary.path, layout: sample.layout)
      try part.write(sample.contents, at: 0)
    }
    let tree = tree(sample)
    unlink(temporary(tree + "gone"))
    temporary.write(tree + "long", [1, 2, 3], at: 300)
    truncate(temporary(tree + "short"), 20_000)
    temporary.write(tree + "wrong", [pattern(500, seed: 5)[0] ^ 1])
    let part = try FolderPart(inFolder: temporary.path, layout: sample.layout)
    let found = try part.verifiedLeaves(of: sample.chunks(withLeafHashes: true), in: sample.cut)
    // The leaves belong to: gone, long, right, short (three leaves), wrong.
    #expect(found.map(\.mask) == [0b0001110])
    let whole = try part.verifiedLeaves(of: sample.chunks(withLeafHashes: false), in: sample.cut)
    #expect(whole.map(\.mask) == [0b0000110])
    try part.write(sample.contents, at: 0)
    try part.place(as: "out", force: false)
    #expect(SampleFolder.items(below: temporary("out")) == sample.items)
  }

  @Test func `a resume completes an output that got its name during a crash`() throws {
    let sample = try SampleFolder.varied()
    do {
      let part = try FolderPart(inFolder: temporary.path, layout: sample.layout)
      for piece in sample.pieces { try part.write(piece) }
      temporary.write("out", [1])
      #expect(throws: PartFileError.self) { try part.place(as: "out", force: false) }
      try part.walk(.placing)
      symlink("not/there", temporary(tree(sample) + "broken"))
      symlink("wrong", temporary(tree(sample) + "deep/er/up"))
    }
    let part = try FolderPart(inFolder: temporary.path, layout: sample.layout)
    unlink(temporary("out"))
    try part.place(as: "out", force: false)
    part.removeJournal()
    #expect(SampleFolder.items(below: temporary("out")) == sample.items)
  }

  @Test func `files that an earlier download may not have synced are synced before they count`() throws {
    let sample = try SampleFolder.varied()
    func open(_ wanted: EntrySet? = nil) throws -> FolderPart {
      try FolderPart(
        inFolder: temporary.path, layout: sample.layout, wanted: wanted, mayReserveNothing: false,
        syncsFileSystem: false)
    }
    let pieces = sample.pieces
    do {
      let part = try open()
      for piece in pieces[..<(pieces.count / 2)] { try part.write(piece) }
    }
    let part = try open()
    let made = part.states.withLock { $0.made.entries }.filter(sample.listing.isFile)
    #expect(!made.isEmpty && part.states.withLock { $0.unsynced.entries } == made)
    try part.syncData()
    #expect(part.states.withLock { $0.unsynced.entries } == [])
    for piece in pieces[(pieces.count / 2)...] { try part.write(piece) }
    try part.place(as: "out", force: false)
    #expect(SampleFolder.items(below: temporary("out")) == sample.items)
  }

  @Test func `neither removed files nor their folders are synced`() throws {
    let sample = try SampleFolder.varied()
    var wanted = EntrySet(entryCount: sample.listing.count)
    wanted.insert(sample.entry("run.sh"))
    func open() throws -> FolderPart {
      try FolderPart(
        inFolder: temporary.path, layout: sample.layout, wanted: wanted, mayReserveNothing: false,
        syncsFileSystem: false)
    }
    do {
      let part = try open()
      for piece in sample.pieces { try part.write(piece) }
    }
    try open().place(as: "out", force: false)
    #expect(SampleFolder.items(below: temporary("out")).keys.sorted() == ["run.sh"])
  }
}
