// Part folders: used by one process only, correct or absent, and without unwanted files.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct `A part folder` {
  let temporary = TemporaryFolder()

  private func make(_ sample: SampleFolder, wanted: EntrySet? = nil, syncs: Bool? = nil) throws -> FolderPart {
    try FolderPart(
      inFolder: temporary.path, layout: sample.layout, wanted: wanted, mayReserveNothing: false, syncsFileSystem: syncs)
  }

  private func name(_ sample: SampleFolder) -> String { FolderPart.name(of: sample.layout.folderID) }

  @Test(arguments: [true, false])
  func `pieces that several threads write in any order become the folder`(syncs: Bool) throws {
    let sample = try SampleFolder.varied()
    let part = try make(sample, syncs: syncs)
    #expect(!part.isResumed && temporary.names == [name(sample)] && temporary.mode(name(sample)) == 0o700)
    #expect(part.path == temporary(name(sample)))
    var generator = SeededGenerator(7)
    let pieces = sample.pieces.shuffled(using: &generator)
    let threads = (0..<4).map { first in
      Thread.start(name: "write") {
        for i in stride(from: first, to: pieces.count, by: 4) {
          try? part.write(pieces[i])
          if i % 50 == 0 { try? part.syncData() }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(part.folders.count <= FolderPart.openFoldersMax && part.files.count <= FolderPart.openFilesMax)
    try part.syncData()
    try part.place(as: "out", force: false)
    try part.syncFolder()
    part.removeJournal()
    #expect(SampleFolder.items(below: temporary("out")) == sample.items)
    #expect(temporary.names == ["out"])
    let mask = Environment.fileModeMask
    #expect(temporary.mode("out") == 0o777 & ~mask && temporary.mode("out/small/1") == 0o777 & ~mask)
    #expect(temporary.mode("out/run.sh") == 0o777 & ~mask && temporary.mode("out/none") == 0o666 & ~mask)
  }

  @Test func `written bytes are read back, and reading a hole is an error`() throws {
    let sample = try SampleFolder.varied()
    let part = try make(sample)
    var buffer = [UInt8](repeating: 0, count: 65_536)
    func read(_ piece: FolderPiece) throws -> [UInt8] {
      var span = buffer.mutableSpan
      var raw = span.mutableBytes
      try part.read(at: piece.offset, count: piece.bytes.count, into: &raw)
      return Array(buffer[..<piece.bytes.count])
    }
    for (i, piece) in sample.pieces.enumerated() where i % 3 == 0 {
      // A large file has its full length from the start, so its holes are zeros.
      let files = sample.layout.runs(at: piece.offset, count: piece.bytes.count).map(\.entry)
      if !files.allSatisfy(part.isMade) { #expect(throws: PartFileError.self) { _ = try read(piece) } }
      try part.write(piece)
      #expect(try read(piece) == piece.bytes)
    }
  }

  @Test func `a folder without contents and a folder without entries are placed too`() throws {
    for items in [["a/none": .file([]), "b": .folder, "c": .link("b")], [String: SampleFolder.Item]()] {
      let sample = try SampleFolder(items)
      let part = try make(sample)
      try part.place(as: "out\(items.count)", force: false)
      part.removeJournal()
      #expect(SampleFolder.items(below: temporary("out\(items.count)")) == items)
    }
    #expect(temporary.names == ["out0", "out3"])
  }

  @Test func `an existing output is never replaced, and the part stays`() throws {
    let sample = try SampleFolder(["a/b": .file([1, 2])])
    let part = try make(sample)
    try part.write([1, 2], at: 0)
    mkdir(temporary("folder"), 0o755)
    temporary.write("file", [1])
    symlink("nowhere", temporary("link"))
    for force in [false, true] {
      for name in ["folder", "file", "link"] {
        let expected = PartFileError.occupied(path: temporary(name), isFolder: name == "folder")
        #expect(throws: expected) { try part.checkPlace(name, force: force) }
        #expect(throws: expected) { try part.place(as: name, force: force) }
      }
    }
    #expect(throws: PartFileError.self) { try part.place(as: String(repeating: "x", count: 300), force: false) }
    try part.checkPlace("free", force: false)
    // As on a file system that cannot refuse to replace an existing name.
    #expect(throws: PartFileError.occupied(path: temporary("folder"), isFolder: true)) {
      try part.place(as: "folder", refusing: false)
    }
    try part.place(as: "free", refusing: false)
    #expect(SampleFolder.items(below: temporary("free")) == sample.items)
  }

  @Test func `the output has the wanted files only, even if an earlier download fetched more`() throws {
    let sample = try SampleFolder.varied()
    do {
      let part = try make(sample)
      for piece in sample.pieces { try part.write(piece) }
    }
    let kept = ["small/3/3", "deep/er/up", "none", "big/second", "deep/er/void"]
    var wanted = EntrySet(entryCount: sample.listing.count)
    for path in kept { wanted.insert(sample.entry(path)) }
    let part = try make(sample, wanted: wanted)
    // A run of leaves may include unwanted bytes.
    for piece in sample.pieces.prefix(3) { try part.write(piece) }
    try part.place(as: "out", force: false)
    part.removeJournal()
    #expect(SampleFolder.items(below: temporary("out")) == sample.items.filter { kept.contains($0.key) })
    #expect(temporary.names == ["out"])
  }

  @Test func `bytes that are not wanted may be written to a new part, and do not stay`() throws {
    let sample = try SampleFolder(["a/x": .file([1]), "b/c/y": .file([2])])
    var wanted = EntrySet(entryCount: 2)
    wanted.insert(0)
    let part = try make(sample, wanted: wanted)
    #expect(!temporary.exists(name(sample) + "/tree/b"))
    try part.write([1, 2], at: 0)
    try part.place(as: "out", force: false)
    #expect(SampleFolder.items(below: temporary("out")) == ["a/x": .file([1])])
    #expect(!temporary.exists("out/b"))
  }

  @Test func `a part with a missing or extra file does not get its final name`() throws {
    let sample = try SampleFolder(["a/x": .file([1]), "b": .file([2])])
    let part = try make(sample)
    try part.write([1], at: 0)
    #expect(throws: PartFileError.self) { try part.place(as: "out", force: false) }
    try part.write([2], at: 1)
    temporary.write(name(sample) + "/tree/a/more", [1])
    let more = temporary(name(sample) + "/tree/a/more")
    #expect(throws: PartFileError.foreign(path: more, what: "not of this download")) {
      try part.place(as: "out", force: false)
    }
    unlink(more)
    temporary.write(name(sample) + "/tree/b", [2, 3])
    #expect(throws: PartFileError.self) { try part.place(as: "out", force: false) }
    #expect(!temporary.exists("out"))
  }

  @Test func `a second get of the folder is refused until the first one ends`() throws {
    let sample = try SampleFolder.varied()
    var first: FolderPart? = try make(sample)
    #expect(throws: PartFileError.running(path: temporary(name(sample)))) { try make(sample) }
    first?.release()
    #expect(try make(sample).isResumed)
    first = nil
    #expect(try make(sample).isResumed)
  }

  @Test func `the listing and the journal stay until the end`() throws {
    let sample = try SampleFolder(["a": .file([1])])
    let kept = { self.temporary.read(self.name(sample) + "/" + $0) }
    do { try make(sample).openJournal().append([1, 2]) }
    #expect(kept("listing") == sample.listing.bytes)
    #expect(kept("journal") == [1, 2])
    temporary.write(name(sample) + "/listing", [1, 2, 3])
    let part = try make(sample)
    #expect(kept("listing") == sample.listing.bytes)
    #expect(try part.openJournal().bytes() == [1, 2])
    try part.write([1], at: 0)
    try part.place(as: "out", force: false)
    // A crash here leaves a part folder without a tree. Its journal claims nothing.
    part.release()
    let next = try make(sample)
    #expect(!next.isResumed)
    #expect(try next.openJournal().bytes() == [])
    try next.discard()
    #expect(temporary.names == ["out"])
  }

  @Test func `a part stays if kept, and goes if discarded or left over`() throws {
    let sample = try SampleFolder.varied()
    do { try make(sample).write(sample.pieces[0]) }
    #expect(temporary.names == [name(sample)])
    let part = try make(sample)
    for piece in sample.pieces.suffix(40) { try part.write(piece) }
    FolderPart.removeLeftovers(of: sample.layout.folderID, inFolder: temporary.path)
    #expect(temporary.names == [name(sample)], "another get is at it")
    part.release()
    FolderPart.removeLeftovers(of: sample.layout.folderID, inFolder: temporary.path)
    #expect(temporary.names == [name(sample)], "it is not finished")
    try part.discard()
    #expect(temporary.names == [])
    do {
      let part = try make(sample)
      for piece in sample.pieces { try part.write(piece) }
      try part.place(as: "out", force: false)
      part.release()
    }
    #expect(temporary.names.count == 2)
    FolderPart.removeLeftovers(of: sample.layout.folderID, inFolder: temporary.path)
    FolderPart.removeLeftovers(of: sample.layout.folderID, inFolder: temporary.path)
    #expect(temporary.names == ["out"])
  }

  @Test func `a name that is too long for the file system is refused at once`() throws {
    let long = String(repeating: "n", count: 200)
    let sample = try SampleFolder(["a/\(long)/b": .file([1])])
    let part = try make(sample)
    try part.checkNames(byteCountMax: 255)
    try part.checkNames(byteCountMax: nil)
    let error = #expect(throws: PartFileError.self) { try part.checkNames(byteCountMax: 143) }
    guard case .cannotCreate(let errno)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(errno.code == ENAMETOOLONG && errno.subject.hasSuffix("a/\(long)/b"))
  }

  @Test func `a finished folder can be read until one of its files changes`() throws {
    let sample = try SampleFolder.varied()
    let part = try make(sample)
    for piece in sample.pieces { try part.write(piece) }
    try part.place(as: "out", force: false)
    part.removeJournal()
    let output = try part.finished(as: "out")
    var buffer = [UInt8](repeating: 0, count: 65_536)
    func read(_ piece: FolderPiece) throws -> [UInt8] {
      var span = buffer.mutableSpan
      var raw = span.mutableBytes
      try output.read(at: piece.offset, count: piece.bytes.count, into: &raw)
      return Array(buffer[..<piece.bytes.count])
    }
    for piece in sample.pieces { #expect(try read(piece) == piece.bytes) }
    let large = sample.pieces.last { $0.chunk.rawValue > 0 }!
    let path = sample.listing.path(of: sample.layout.runs(at: large.offset, count: 1)[0].entry).description
    truncate(temporary("out/" + path), 5)
    #expect(throws: StoredFileError.changed(path: temporary("out/" + path))) { _ = try read(large) }
    // A file of one leaf, so that it is not kept open.
    let first = "small/1/1"
    let offset = sample.layout.offset(ofFile: sample.entry(first))
    let small = sample.pieces.last { $0.offset <= offset }!
    rename(temporary("out/" + first), temporary("elsewhere"))
    #expect(throws: StoredFileError.removed(path: temporary("out/" + first))) { _ = try read(small) }
    symlink(temporary("elsewhere"), temporary("out/" + first))
    #expect(throws: StoredFileError.changed(path: temporary("out/" + first))) { _ = try read(small) }
  }

  // MARK: Full disks

  @Test(.enabled(if: Environment.userID == 0, "only root can mount a small file system"))
  func `a full disk is reported before the download or when it fills, and nothing is lost`() throws {
    mkdir(temporary("small"), 0o700)
    try #require(mount("tmpfs", temporary("small"), "tmpfs", 0, "size=1m") == 0)
    defer { umount2(temporary("small"), 2) }
    let long = try SampleFolder(["a/b": .file(pattern(2 << 20))])
    let path = temporary("small/" + name(long))
    let error = #expect(throws: PartFileError.self) {
      try FolderPart(inFolder: temporary("small"), layout: long.layout)
    }
    guard case .noRoom(path, 2 << 20, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(access(path, F_OK) == -1)
    // Each small file takes more disk space than its length.
    let items = (0..<400).map { ("f/\($0)", SampleFolder.Item.file(pattern(100, seed: UInt64($0)))) }
    let many = try SampleFolder(Dictionary(uniqueKeysWithValues: items))
    var written = 0
    do {
      let part = try FolderPart(inFolder: temporary("small"), layout: many.layout)
      let full = #expect(throws: PartFileError.self) {
        for i in 0..<400 {
          try part.write(Array(many.contents[i * 100..<i * 100 + 100]), at: UInt64(i * 100))
          written += 1
        }
      }
      #expect(full == .diskFull(path: part.path, byteCount: 40_000))
      #expect(written > 100)
    }
    try #require(mount("tmpfs", temporary("small"), "tmpfs", UInt(MS_REMOUNT), "size=4m") == 0)
    let part = try FolderPart(inFolder: temporary("small"), layout: many.layout)
    let found = try part.verifiedLeaves(of: many.chunks(withLeafHashes: true), in: many.cut)
    #expect(found.reduce(0) { $0 + $1.mask.nonzeroBitCount } == written)
    try part.write(many.contents, at: 0)
    try part.place(as: "out", force: false)
    part.removeJournal()
    #expect(SampleFolder.items(below: temporary("small/out")) == many.items)
  }
}
