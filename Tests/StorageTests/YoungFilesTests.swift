// Files that changed shortly before they were hashed. A later change may leave their times as they are. To simulate
// that, a test gives the entry the new times.
import Content
import Glibc
import Posix
import Synchronization
import TestSupport
import Testing

@testable import Storage

@Suite struct YoungFilesTests {
  private let remembering = Remembering()
  private var temporary: TemporaryFolder { remembering.temporary }

  /// Changes a byte of a file as if its times stayed the same.
  private func change(_ name: String, at offset: Int, in catalogue: Catalogue) throws -> CatalogueEntry {
    let old = try #require(catalogue.entry(at: name))
    let byte = try #require(temporary.read(name))[offset]
    temporary.write(name, [~byte], at: offset)
    let entry = CatalogueEntry(path: name, status: try remembering.status(name), hashes: old.hashes)
    catalogue.add(entry)
    return entry
  }

  private func read(_ entry: CatalogueEntry, _ catalogue: Catalogue, at offset: Int, count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    var buffer = span.mutableBytes
    try catalogue.read(entry, at: UInt64(offset), count: count, into: &buffer)
    return bytes
  }

  @Test func `hashes of a file younger than two seconds are not trusted at the next start`() throws {
    temporary.write("a", pattern(100_000))
    temporary.write("b", pattern(10))
    #expect(try remembering.serve(afterSeconds: 1).events.hashedBytes == 100_010)
    let second = try remembering.serve(afterSeconds: 3)
    #expect(second.events.hashedBytes == 100_010)
    #expect(try remembering.serve(afterSeconds: 3).events.hashedBytes == 0)
    // A new mode or a new name does not make the file older.
    temporary.write("b", pattern(10, seed: 2))
    let third = try remembering.serve(afterSeconds: 1).catalogue
    chmod(temporary("b"), 0o755)
    _ = try third.touch(try #require(third.entry(at: "b")), try remembering.status("b"))
    #expect(rename(temporary("b"), temporary("c")) == 0)
    _ = try third.rename(try #require(third.entry(at: "b")), to: "c", try remembering.status("c"))
    #expect(third.entry(at: "c")?.hashes.isYoung == true)
    #expect(try remembering.serve(afterSeconds: 3).events.hashedBytes == 10)
  }

  @Test(arguments: [100, 16_384, 65_536, 70_000, (1 << 20) + 20_000])
  func `a leaf of a young file is not sent if it no longer matches its hash`(length: Int) throws {
    let bytes = pattern(length)
    temporary.write("a", bytes)
    let catalogue = try remembering.serve(afterSeconds: 0).catalogue
    let entry = try #require(catalogue.entry(at: "a"))
    let start = (length - 1) / 65_536 * 65_536
    #expect(try read(entry, catalogue, at: start, count: length - start) == Array(bytes[start...]))
    let changed = try change("a", at: length - 1, in: catalogue)
    let error = #expect(throws: StoredFileError.self) {
      try read(changed, catalogue, at: start, count: length - start)
    }
    #expect(error == .changed(path: "a"))
    var isKnown = false
    try catalogue.store.forEachFile { _ in isKnown = true }
    #expect(!isKnown, "it is hashed anew")
  }

  @Test func `leaves that matched after the file was old are not hashed again`() throws {
    temporary.write("a", pattern(200_000))
    let age = Mutex<Int64>(1)
    let catalogue = try Catalogue(
      folder: try ServedFolder(temporary.path), stateFolder: remembering.state.path,
      now: { later(age.withLock { $0 })() }, bucketOf: { _ in 0 })
    catalogue.load(try FolderScan(catalogue.folder).files, onEvent: { _ in })
    let entry = try #require(catalogue.entry(at: "a"))
    _ = try read(entry, catalogue, at: 0, count: 65_536)
    #expect(!catalogue.young.isChecked(0..<4, of: entry))
    age.withLock { $0 = 3 }
    _ = try read(entry, catalogue, at: 0, count: 65_536)
    #expect(catalogue.young.isChecked(0..<4, of: entry) && !catalogue.young.isChecked(3..<5, of: entry))
    _ = try read(entry, catalogue, at: 196_608, count: 200_000 - 196_608)
    #expect(catalogue.young.isChecked(12..<13, of: entry))
    catalogue.withdraw(entry)
    #expect(!catalogue.young.isChecked(0..<4, of: entry))
  }

  @Test func `leaves of an old file are sent without hashing`() throws {
    temporary.write("a", pattern(100))
    let catalogue = try remembering.serve().catalogue
    let entry = try change("a", at: 0, in: catalogue)
    #expect(try read(entry, catalogue, at: 0, count: 100) != pattern(100), "a report of wrong data finds it")
  }
}
