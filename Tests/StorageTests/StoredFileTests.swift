// Reading served files: returns true bytes, or reports that the file is no longer the one that was hashed.
import Content
import Glibc
import Posix
import Testing
import TestSupport

@testable import Storage

@Suite struct `Reading a served file` {
  let served: Served
  let bytes = pattern(200_000)

  init() throws {
    served = try Served()
    served.temporary.write("folder/file", bytes)
    try served.load()
  }

  private var entry: CatalogueEntry { get throws { try #require(served.catalogue.entries.first) } }

  private func read(_ file: StoredFile, at offset: Int = 0, count: Int = 65_536) throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: count)
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    try file.read(at: UInt64(offset), into: &raw)
    return buffer
  }

  @Test func `any range of a file is read through one open descriptor`() throws {
    let file = try served.catalogue.open(try entry)
    #expect(try read(file, at: 0) == Array(bytes[..<65_536]))
    #expect(try read(file, at: 199_000, count: 1000) == Array(bytes[199_000...]))
    #expect(try read(file, at: 200_000, count: 0) == [])
    #expect(try served.catalogue.open(try entry) === file)
  }

  @Test func `an edit between two reads is detected by the second read`() throws {
    let file = try served.catalogue.open(try entry)
    _ = try read(file)
    served.temporary.write("folder/file", [1], at: 5)
    #expect(throws: StoredFileError.changed(path: "folder/file")) { try read(file) }
  }

  @Test func `a file that grew or was truncated is detected`() throws {
    let file = try served.catalogue.open(try entry)
    served.temporary.write("folder/file", [1], at: 200_000)
    #expect(throws: StoredFileError.changed(path: "folder/file")) { try read(file) }
    truncate(served.temporary("folder/file"), 10)
    #expect(throws: StoredFileError.changed(path: "folder/file")) { try read(file) }
  }

  @Test func `an edit whose time was set back is detected`() throws {
    let file = try served.catalogue.open(try entry)
    var times = [timespec](repeating: timespec(), count: 2)
    var raw = stat()
    stat(served.temporary("folder/file"), &raw)
    times[0] = raw.st_atim
    times[1] = raw.st_mtim
    served.temporary.write("folder/file", [1], at: 5)
    utimensat(AT_FDCWD, served.temporary("folder/file"), times, 0)
    #expect(throws: StoredFileError.changed(path: "folder/file")) { try read(file) }
  }

  @Test func `a replaced file is detected, open or not`() throws {
    let file = try served.catalogue.open(try entry)
    served.temporary.write("folder/new", bytes)
    rename(served.temporary("folder/new"), served.temporary("folder/file"))
    #expect(throws: StoredFileError.removed(path: "folder/file")) { try read(file) }
    served.catalogue.withdraw(try entry)
    #expect(throws: StoredFileError.changed(path: "folder/file")) {
      try StoredFile(file.entry, in: served.catalogue.folder)
    }
  }

  @Test func `a removed file is detected, open or not`() throws {
    let file = try served.catalogue.open(try entry)
    unlink(served.temporary("folder/file"))
    #expect(throws: StoredFileError.removed(path: "folder/file")) { try read(file) }
    #expect(throws: StoredFileError.removed(path: "folder/file")) {
      try StoredFile(file.entry, in: served.catalogue.folder)
    }
  }

  @Test func `a link, a FIFO or a folder in the place of the file is never read`() throws {
    let entry = try entry
    let path = served.temporary("folder/file")
    rename(path, served.temporary("aside"))
    symlink("../aside", path)
    #expect(throws: StoredFileError.changed(path: "folder/file")) { try served.catalogue.open(entry) }
    unlink(path)
    mkfifo(path, 0o600)
    #expect(throws: StoredFileError.changed(path: "folder/file")) { try served.catalogue.open(entry) }
    unlink(path)
    mkdir(path, 0o755)
    #expect(throws: StoredFileError.changed(path: "folder/file")) { try served.catalogue.open(entry) }
  }

  @Test func `a link in the place of a parent folder is never followed`() throws {
    let entry = try entry
    rename(served.temporary("folder"), served.temporary("aside"))
    symlink("aside", served.temporary("folder"))
    #expect(throws: StoredFileError.changed(path: "folder/file")) { try served.catalogue.open(entry) }
  }

  @Test func `only the most recently used files stay open`() throws {
    let many = try Served()
    for i in 0..<OpenFiles.countMax + 10 { many.temporary.write("f\(i)", pattern(3, seed: UInt64(i))) }
    try many.load()
    let open = OpenFiles(many.catalogue.folder)
    let entries = many.catalogue.entries
    let first = try open.open(entries[0])
    for entry in entries.dropFirst() {
      _ = try open.open(entry)
      #expect(try open.open(entries[0]) === first)
    }
    #expect(open.count == OpenFiles.countMax)
    open.close(entries[0])
    #expect(open.count == OpenFiles.countMax - 1)
    #expect(try read(first, count: 3).count == 3, "who holds it may still read it")
  }
}
