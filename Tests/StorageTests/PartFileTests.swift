// Part files: used by one process only, resumable, correct or absent.
import Content
import Glibc
import Posix
import Testing
import TestSupport

@testable import Storage

@Suite struct `A part file` {
  let temporary = TemporaryFolder()
  let bytes = pattern(3 << 20 + 5000)

  private var fileID: FileID { get throws { try reference(bytes).file.fileID } }
  private var length: UInt64 { UInt64(bytes.count) }

  private func make() throws -> PartFile {
    try PartFile(inFolder: temporary.path, fileID: try fileID, length: length)
  }

  /// Writes a range in pieces of 64 KiB.
  private func write(_ range: Range<Int>, to part: PartFile) throws {
    for start in stride(from: range.lowerBound, to: range.upperBound, by: 65_536) {
      let piece = Array(bytes[start..<min(start + 65_536, range.upperBound)])
      try part.write(piece.span.bytes, at: UInt64(start))
    }
  }

  private func verified(_ part: PartFile) throws -> [UInt32] {
    let file = try reference(bytes).file
    return try part.verifiedChunks(from: 0, hashes: file.chunkHashes, in: file.layout)
  }

  @Test func `a part file is named after the fileID, private to its owner, and has its full length at once`() throws {
    let part = try make()
    let name = ".\(try fileID.hex.prefix(16)).p2p-part"
    #expect(temporary.names == [name] && part.path == temporary(name))
    #expect(temporary.mode(name) == 0o600)
    #expect(temporary.read(name)?.count == bytes.count)
    #expect(!part.isResumed)
  }

  @Test func `a finished file has its name, an ordinary mode and its bytes, and its part file is gone`() throws {
    let part = try make()
    try write(0..<bytes.count, to: part)
    try part.place(as: "out\n1", force: false)
    #expect(part.outputPath("out\n1") == temporary("out\n1"))
    #expect(temporary.read("out\n1") == bytes)
    #expect(temporary.mode("out\n1") == 0o666 & ~Environment.fileModeMask)
    #expect(temporary.names == ["out\n1"])
  }

  @Test func `several threads may write pieces`() throws {
    let part = try make()
    let bytes = bytes
    func start(_ first: Int) -> Thread {
      Thread.start(name: "write") {
        for start in stride(from: first * 65_536, to: bytes.count, by: 4 * 65_536) {
          let piece = Array(bytes[start..<min(start + 65_536, bytes.count)])
          try? part.write(piece.span.bytes, at: UInt64(start))
        }
      }
    }
    let a = start(0)
    let b = start(1)
    let c = start(2)
    let d = start(3)
    a.join()
    b.join()
    c.join()
    d.join()
    #expect(try verified(part) == [0, 1, 2, 3])
    try part.place(as: "out", force: false)
    #expect(temporary.read("out") == bytes)
  }

  @Test func `an empty file is finished like any other file`() throws {
    let part = try PartFile(inFolder: temporary.path, fileID: try reference([]).file.fileID, length: 0)
    try part.place(as: "empty", force: false)
    #expect(temporary.read("empty") == [])
  }

  @Test func `an existing output is not replaced, and the part file stays as it was`() throws {
    let part = try make()
    try write(0..<bytes.count, to: part)
    temporary.write("out", [1, 2, 3])
    #expect(throws: PartFileError.exists(path: temporary("out"))) { try part.checkPlace("out", force: false) }
    #expect(throws: PartFileError.exists(path: temporary("out"))) { try part.place(as: "out", force: false) }
    symlink("nowhere", temporary("dangling"))
    #expect(throws: PartFileError.exists(path: temporary("dangling"))) { try part.place(as: "dangling", force: false) }
    #expect(temporary.read("out") == [1, 2, 3])
    #expect(temporary.mode(PartFile.name(of: try fileID)) == 0o600)
    try part.checkPlace("free", force: false)
    try part.place(as: "out", force: true)
    #expect(temporary.read("out") == bytes)
  }

  @Test func `a folder, a device or a pipe is not replaced, even by force`() throws {
    let part = try make()
    mkdir(temporary("folder"), 0o755)
    mkfifo(temporary("pipe"), 0o644)
    for (name, what) in [("folder", "a folder"), ("pipe", "a device, a pipe or a socket")] {
      for force in [false, true] {
        let expected = PartFileError.notAFile(path: temporary(name), what: what)
        #expect(throws: expected) { try part.checkPlace(name, force: force) }
        #expect(throws: expected) { try part.place(as: name, force: force) }
      }
    }
    #expect(temporary.mode(PartFile.name(of: try fileID)) == 0o600)
  }

  @Test func `a second get of the file in the folder is refused until the first one ends`() throws {
    var first: PartFile? = try make()
    #expect(throws: PartFileError.running(path: try #require(first).path)) { try make() }
    first = nil
    #expect(try make().isResumed)
  }

  @Test func `after a finished get the next get begins anew`() throws {
    let first = try make()
    try write(0..<bytes.count, to: first)
    try first.place(as: "out", force: false)
    let second = try make()
    #expect(!second.isResumed)
    try second.write([9].span.bytes, at: 0)
    #expect(temporary.read("out") == bytes)
  }

  @Test func `a later get finds all whole chunks of the earlier one, and no others`() throws {
    do {
      let part = try make()
      #expect(try verified(part) == [])
      try write(1 << 20..<2 << 20, to: part)
      try write(2 << 20..<2 << 20 + 100_000, to: part)
      try write(3 << 20..<bytes.count, to: part)
    }
    let part = try make()
    #expect(part.isResumed)
    #expect(try verified(part) == [1, 3])
    try part.write([bytes[1 << 20] ^ 1].span.bytes, at: 1 << 20)
    #expect(try verified(part) == [3], "a byte that is wrong is not believed")
    try write(0..<3 << 20, to: part)
    try part.place(as: "out", force: false)
    #expect(temporary.read("out") == bytes)
  }

  @Test func `a part of the chunks is verified with their own hashes`() throws {
    let part = try make()
    try write(0..<bytes.count, to: part)
    let file = try reference(bytes).file
    let run = Array(file.chunkHashes[2...])
    #expect(try part.verifiedChunks(from: 2, hashes: run, in: file.layout) == [2, 3])
    #expect(try part.verifiedChunks(from: 1, hashes: run, in: file.layout) == [])
  }

  @Test func `written bytes are read back`() throws {
    let part = try make()
    try write(0..<bytes.count, to: part)
    var buffer = [UInt8](repeating: 0, count: 5000)
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    try part.read(at: 3 << 20, into: &raw)
    #expect(buffer == Array(bytes[(3 << 20)...]))
  }

  @Test func `a part file of another length gets the right length`() throws {
    let name = PartFile.name(of: try fileID)
    temporary.write(name, bytes + [1, 2, 3], mode: 0o600)
    let part = try make()
    #expect(part.isResumed)
    #expect(temporary.read(name)?.count == bytes.count)
    #expect(try verified(part) == [0, 1, 2, 3])
  }

  @Test func `a download does not write to a part file that p2pnode did not make`() throws {
    let name = PartFile.name(of: try fileID)
    temporary.write("victim", [1])
    func expectForeign(_ what: String) {
      #expect(throws: PartFileError.foreign(path: temporary(name), what: what)) { try make() }
      unlink(temporary(name))
    }
    symlink("victim", temporary(name))
    expectForeign("a symbolic link")
    link(temporary("victim"), temporary(name))
    expectForeign("a file with another hard link")
    mkfifo(temporary(name), 0o600)
    expectForeign("not a regular file")
    mkdir(temporary(name), 0o700)
    expectForeign("a folder")
    rmdir(temporary(name))
    #expect(temporary.read("victim") == [1])
  }

  @Test func `a missing folder cannot hold an output`() throws {
    let error = #expect(throws: PartFileError.self) {
      try PartFile(inFolder: temporary("none"), fileID: try fileID, length: 1)
    }
    #expect(error == .cannotCreate(Errno(code: ENOENT, call: "open", subject: temporary("none"))))
  }

  @Test(.enabled(if: Environment.userID != 0, "root may write everywhere"))
  func `a read-only folder cannot hold an output`() throws {
    chmod(temporary.path, 0o500)
    defer { chmod(temporary.path, 0o700) }
    let error = #expect(throws: PartFileError.self) { try make() }
    guard case .cannotCreate(let errno)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(errno.code == EACCES)
  }

  @Test func `a part file stays if kept, and goes if discarded`() throws {
    _ = try make()
    #expect(temporary.exists(PartFile.name(of: try fileID)))
    try make().discard()
    #expect(temporary.names == [])
  }

  @Test(.enabled(if: Environment.userID == 0, "only root can mount a small file system"))
  func `a full disk is reported before anything is downloaded, and nothing is left behind`() throws {
    mkdir(temporary("small"), 0o700)
    try #require(mount("tmpfs", temporary("small"), "tmpfs", 0, "size=1m") == 0)
    defer { umount2(temporary("small"), 2) }
    let error = #expect(throws: PartFileError.self) {
      try PartFile(inFolder: temporary("small"), fileID: try fileID, length: length)
    }
    let path = temporary("small/" + PartFile.name(of: try fileID))
    #expect(error == .noRoom(path: path, byteCount: length, freeBytes: 1 << 20))
    #expect(access(path, F_OK) == -1)
    let fits = try PartFile(inFolder: temporary("small"), fileID: try fileID, length: 1 << 19)
    try fits.write(pattern(1 << 16).span.bytes, at: 0)
    try fits.place(as: "out", force: false)
  }
}

extension PartFile {
  /// Returns the whole chunks of a run that are right.
  func verifiedChunks(
    from first: UInt32, hashes: [Digest], in layout: ChunkLayout, threads: Int = 2,
    shouldStop: @escaping @Sendable () -> Bool = { false }
  ) throws -> [UInt32] {
    let chunks = hashes.enumerated().map { ChunkOnDisk(ChunkIndex(first + UInt32($0.offset)), hash: $0.element) }
    return try verifiedLeaves(of: chunks, in: layout, threads: threads, shouldStop: shouldStop).map { chunk, mask in
      #expect(mask == layout.leaves(of: chunk).mask)
      return chunk.rawValue
    }
  }
}
