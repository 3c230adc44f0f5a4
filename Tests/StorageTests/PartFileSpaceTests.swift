// How much disk space a part file takes, and when it is refused for lack of space.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct PartFileSpaceTests {
  private let temporary = TemporaryFolder()
  private static let length: UInt64 = 1 << 30
  private let fileID = FileID(kind: .file, length: PartFileSpaceTests.length, root: Digest.zero)

  private func make() throws -> PartFile {
    try PartFile(inFolder: temporary.path, fileID: fileID, length: PartFileSpaceTests.length)
  }

  private func allocated(_ part: PartFile) throws -> Int { Int(try part.file.allocatedByteCount()) }

  /// Writes a range that is given in MiB.
  private func write(_ range: Range<Int>, to part: PartFile) throws {
    let piece = pattern(65_536)
    for start in stride(from: range.lowerBound << 20, to: range.upperBound << 20, by: piece.count) {
      try part.write(piece.span.bytes, at: UInt64(start))
    }
  }

  /// Whether about so many MiB are used. File systems use some more for their own tables.
  private func isAbout(_ mebibytes: Int, _ byteCount: Int) -> Bool {
    byteCount >= mebibytes << 20 && byteCount <= (mebibytes + 2) << 20
  }

  @Test func `a long part file reserves the written bytes and 64 MiB more, wherever it is written`() throws {
    let part = try make()
    try #require(part.canReserve, "this file system reserves nothing")
    #expect(try part.file.status().size == PartFileSpaceTests.length)
    var taken = try allocated(part)
    #expect(isAbout(64, taken), "\(taken)")
    try write(0..<24, to: part)
    taken = try allocated(part)
    #expect(isAbout(64 + 24, taken), "\(taken)")
    // The end of the file is not reserved yet. Writing there also extends the reservation at the start.
    try write(1_000..<1_008, to: part)
    taken = try allocated(part)
    #expect(isAbout(64 + 24 + 8 + 8, taken), "\(taken)")
  }

  @Test func `a resumed part file reserves 64 MiB ahead, and resuming alone reserves no more`() throws {
    do { try write(0..<16, to: try make()) }
    for _ in 0..<3 {
      let part = try make()
      try #require(part.canReserve, "this file system reserves nothing")
      let taken = try allocated(part)
      #expect(isAbout(16 + 64, taken), "\(taken)")
    }
    let part = try make()
    try write(16..<24, to: part)
    let taken = try allocated(part)
    #expect(isAbout(24 + 64, taken), "\(taken)")
  }

  @Test func `a part file of less than 64 MiB reserves its own length`() throws {
    let short = try PartFile(
      inFolder: temporary.path, fileID: FileID(kind: .file, length: 20 << 20, root: .zero), length: 20 << 20)
    try write(0..<20, to: short)
    let taken = try allocated(short)
    #expect(isAbout(20, taken), "\(taken)")
    #expect(try short.file.status().size == 20 << 20)
  }

  @Test func `a file longer than the free disk is refused at once and leaves nothing behind`() throws {
    let probe = try File(temporary("probe"), [.readWrite, .createExclusive])
    let free = try #require(try probe.freeByteCount())
    let length = free + (64 << 20)
    let longID = FileID(kind: .file, length: length, root: .zero)
    let error = #expect(throws: PartFileError.self) {
      try PartFile(inFolder: temporary.path, fileID: longID, length: length)
    }
    guard case .noRoom(_, length, _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(temporary.names == ["probe"])
  }

  @Test(.enabled(if: Environment.userID == 0, "only root can mount a small file system"))
  func `bytes of an earlier download on the disk count as room`() throws {
    mkdir(temporary("small"), 0o700)
    try #require(mount("tmpfs", temporary("small"), "tmpfs", 0, "size=4m") == 0)
    defer { umount2(temporary("small"), 2) }
    let shortID = FileID(kind: .file, length: 3 << 20, root: .zero)
    func make() throws -> PartFile {
      try PartFile(inFolder: temporary("small"), fileID: shortID, length: 3 << 20)
    }
    do { try write(0..<2, to: try make()) }
    // 3 MiB are reserved for it, so 1 MiB is free.
    let part = try make()
    #expect(part.isResumed)
    try write(2..<3, to: part)
    try part.place(as: "out", force: false)
    #expect(throws: PartFileError.self) { try make() }
  }
}
