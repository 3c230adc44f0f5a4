// Which hashes are remembered across runs, and which are never trusted.
import Content
import Glibc
import Posix
import SQLite
import Testing
import TestSupport

@testable import Storage

/// A folder and the state of the processes that serve it, one after another.
struct Remembering {
  let temporary = TemporaryFolder()
  let state = TemporaryFolder()

  /// Serves the folder. Returns the catalogue and its events.
  /// - `seconds`: the age of files that were just written.
  func serve(afterSeconds seconds: Int64 = 10) throws -> (catalogue: Catalogue, events: Events) {
    let catalogue = try Catalogue(
      folder: try ServedFolder(temporary.path), stateFolder: state.path, now: later(seconds),
      bucketOf: { UInt16($0.digest.bytes[0]) })
    let events = Events()
    catalogue.load(try FolderScan(catalogue.folder).files, threads: 2, onEvent: events.add)
    return (catalogue, events)
  }

  func status(_ name: String) throws -> FileStatus { try ServedFolder(temporary.path).status(name) }

  /// The path of the database file.
  var database: String { get throws { state(try #require(state.names.first { $0.hasSuffix(".sqlite") })) } }

  /// Changes the database without the store's knowledge.
  func edit(_ sql: StaticString) throws { try Database(try database, busyTimeoutMilliseconds: 1_000).run(sql) }
}

/// Returns a clock that is ahead of the file system's clock.
func later(_ seconds: Int64) -> @Sendable () -> FileTime {
  { FileTime(seconds: Clock.fileTime.seconds + seconds, nanoseconds: Clock.fileTime.nanoseconds) }
}

extension Events {
  /// The number of bytes that were hashed.
  var hashedBytes: UInt64 { progress.map(\.bytesDone).max() ?? 0 }
}

@Suite struct HashStoreTests {
  private let remembering = Remembering()
  private var temporary: TemporaryFolder { remembering.temporary }

  init() {
    temporary.write("a", pattern(3_000_000))
    temporary.write("b/c", pattern(70_000, seed: 2))
    temporary.write("empty", [])
  }

  @Test func `a database of version 1 is upgraded, and no file is hashed again`() throws {
    let fileIDs = try remembering.serve().catalogue.entries.map(\.fileID)
    try remembering.edit(
      """
      DROP TABLE listing; DROP TABLE listing_part; DROP INDEX file_of_path; DROP INDEX file_of_root;
      ALTER TABLE file DROP COLUMN mode; ALTER TABLE file DROP COLUMN retired;
      CREATE UNIQUE INDEX file_of_path ON file (path) WHERE root IS NOT NULL;
      CREATE TABLE p (row INTEGER PRIMARY KEY, hashes BLOB NOT NULL, uncles BLOB NOT NULL) STRICT;
      INSERT INTO p SELECT (row >> 12) << 10 | (row & 4095), hashes, uncles FROM page;
      CREATE TABLE l (row INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
      INSERT INTO l SELECT (row >> 22) << 20 | (row & 4194303), hashes FROM leaves;
      DROP TABLE page; DROP TABLE leaves; ALTER TABLE p RENAME TO page; ALTER TABLE l RENAME TO leaves;
      PRAGMA user_version = 1;
      """)
    let second = try remembering.serve()
    #expect(second.catalogue.warning == nil && second.events.hashedBytes == 0)
    #expect(second.catalogue.entries.map(\.fileID) == fileIDs)
    for entry in second.catalogue.entries {
      for chunk in 0..<entry.layout.chunkCount {
        let leaves = entry.layout.leafCount(of: ChunkIndex(UInt32(chunk)))
        #expect(try second.catalogue.leafHashes(of: ChunkIndex(UInt32(chunk)), entry).hashes.count == leaves)
      }
    }
  }

  @Test func `a file whose mode changed between two runs is not hashed again`() throws {
    _ = try remembering.serve()
    chmod(temporary("a"), 0o755)
    let second = try remembering.serve()
    #expect(second.events.hashedBytes == 0 && second.events.added == ["a", "b/c", "empty"])
  }

  @Test func `the second run hashes no file and serves the same files`() throws {
    let first = try remembering.serve()
    #expect(first.events.hashedBytes == 3_070_000)
    let second = try remembering.serve()
    #expect(second.events.hashedBytes == 0)
    #expect(second.events.added == ["a", "b/c", "empty"])
    #expect(second.catalogue.entries.map(\.fileID) == first.catalogue.entries.map(\.fileID))
    #expect(second.catalogue.warning == nil)
    for entry in second.catalogue.entries {
      let expected = try reference(try #require(temporary.read(entry.path)))
      #expect(try second.catalogue.chunkHashes(of: entry) == expected.file.chunkHashes)
      for (i, leaves) in expected.leaves.enumerated() {
        #expect(try second.catalogue.leafHashes(of: ChunkIndex(UInt32(i)), entry).hashes == leaves)
      }
    }
  }

  @Test func `only changed files are hashed again`() throws {
    _ = try remembering.serve()
    temporary.write("b/c", pattern(70_000, seed: 3))
    temporary.write("new", pattern(5))
    let second = try remembering.serve()
    #expect(second.events.hashedBytes == 70_005)
    let changed = try #require(second.catalogue.entries.first { $0.path == "b/c" })
    #expect(try changed.fileID == reference(pattern(70_000, seed: 3)).file.fileID)
    #expect(try remembering.serve().events.hashedBytes == 0)
  }

  @Test func `a file whose times were set back is hashed again`() throws {
    _ = try remembering.serve()
    var before = stat()
    stat(temporary("a"), &before)
    temporary.write("a", pattern(3_000_000, seed: 9))
    var times = [before.st_atim, before.st_mtim]
    utimensat(AT_FDCWD, temporary("a"), &times, 0)
    let second = try remembering.serve()
    #expect(second.events.hashedBytes == 3_000_000)
  }

  @Test func `a file of many batches is stored too, and removed completely`() throws {
    // A hole, which takes no disk space.
    truncate(temporary("a"), 200 << 20)
    let first = try remembering.serve()
    let entry = try #require(first.catalogue.entries.first)
    #expect(entry.layout.chunkCount == 200)
    _ = try first.catalogue.leafHashes(of: ChunkIndex(3), entry)
    #expect(try remembering.serve().events.hashedBytes == 0)
    try first.catalogue.store.remove(entry.hashes.number)
    let database = try Database(try remembering.database, busyTimeoutMilliseconds: 1_000)
    #expect(try database.integer("SELECT count(*) FROM leaves") == 1)  // of "b/c"
    #expect(try database.integer("SELECT count(*) FROM page") == 0, "a file of one chunk has none")
  }

  @Test func `a file of one leaf has one row, and an unchanged file keeps its hashes`() throws {
    let small = Remembering()
    for i in 0..<600 { small.temporary.write("\(i)", pattern(1 + i, seed: UInt64(i))) }
    let first = try small.serve().catalogue
    let database = try Database(try small.database, busyTimeoutMilliseconds: 1_000)
    #expect(try database.integer("SELECT count(*) FROM file") == 600)
    #expect(try database.integer("SELECT count(*) FROM leaves") == 0)
    #expect(try database.integer("SELECT count(*) FROM page") == 0)
    for entry in first.entries {
      #expect(try first.leafHashes(of: ChunkIndex(0), entry).hashes == [entry.root])
      #expect(try first.page(PageIndex(0), entry).chunkHashes == [entry.root])
    }
    utimes(small.temporary("7"), nil)
    let second = try small.serve()
    #expect(second.events.hashedBytes == 8)
    #expect(try second.catalogue.store.known("7", small.status("7")) == first.entry(at: "7")?.hashes)
  }

  @Test(
    arguments: [
      "UPDATE file SET root = x'0102' WHERE path = 'a'", "UPDATE file SET root = zeroblob(32) WHERE path = 'a'",
      "UPDATE file SET root = (SELECT root FROM file WHERE path = 'b/c') WHERE path = 'a'",
      "UPDATE page SET hashes = zeroblob(96) WHERE length(hashes) = 96", "DELETE FROM page WHERE length(hashes) = 96",
      "UPDATE page SET hashes = zeroblob(95) WHERE length(hashes) = 96",
      "UPDATE page SET uncles = zeroblob(32) WHERE length(hashes) = 96",
    ] as [SQLText])
  func `stored chunk hashes that do not lead to the root are rejected`(sql: SQLText) throws {
    let fileIDs = try remembering.serve().catalogue.entries.map(\.fileID)
    try remembering.edit(sql.text)
    let second = try remembering.serve()
    #expect(second.events.hashedBytes == 3_000_000)
    #expect(second.catalogue.entries.map(\.fileID) == fileIDs)
    #expect(try remembering.serve().events.hashedBytes == 0)
  }

  @Test(arguments: ["UPDATE leaves SET hashes = zeroblob(length(hashes))", "DELETE FROM leaves"] as [SQLText])
  func `stored leaf hashes that do not match their chunk are an error, and the file is rehashed`(sql: SQLText) throws {
    let first = try remembering.serve().catalogue
    try remembering.edit(sql.text)
    let entry = try #require(first.entries.first)
    let error = #expect(throws: Errno.self) { try first.leafHashes(of: ChunkIndex(1), entry) }
    #expect(error?.code == Errno.inputOutput)
    #expect(try remembering.serve().events.hashedBytes == 3_000_000)
  }

  @Test(
    arguments: [
      ("PRAGMA application_id = 1", "another program"), ("PRAGMA user_version = 3", "newer p2pnode"),
      ("PRAGMA user_version = 0", "damaged"), ("DROP TABLE leaves", "no such table: leaves"),
      ("ALTER TABLE file RENAME COLUMN root TO r", "no such column"),
      ("UPDATE file SET number = 9223372036854775807 WHERE path = 'a'", "impossible number"),
      ("UPDATE file SET number = 2199023255551 WHERE path = 'a'", "impossible number"),
      ("UPDATE file SET number = 0 WHERE path = 'a'", "impossible number"),
      ("UPDATE file SET number = -9223372036854775808 WHERE path = 'a'", "impossible number"),
      ("UPDATE file SET number = 9223372036854775807, root = NULL WHERE path = 'a'", "impossible number"),
      ("UPDATE sqlite_sequence SET seq = 9223372036854775807", "impossible number"),
      ("UPDATE sqlite_sequence SET seq = 2199023255550", "impossible number"),
    ] as [(SQLText, String)])
  func `a database of another program or version is set aside with a warning`(sql: SQLText, why: String) throws {
    _ = try remembering.serve()
    try remembering.edit(sql.text)
    let second = try remembering.serve()
    #expect(second.catalogue.warning?.contains(why) == true, "\(second.catalogue.warning ?? "no warning")")
    #expect(second.events.hashedBytes == 3_070_000)
    #expect(remembering.state.names.contains { $0.hasSuffix(".sqlite.set-aside") })
    let third = try remembering.serve()
    #expect(third.catalogue.warning == nil && third.events.hashedBytes == 0)
  }

  @Test func `the largest valid numbers are used`() throws {
    _ = try remembering.serve()
    try remembering.edit(
      """
      UPDATE file SET number = 2199023255550 WHERE path = 'empty';
      UPDATE sqlite_sequence SET seq = 2199023255549
      """)
    let second = try remembering.serve()
    #expect(second.catalogue.warning == nil && second.events.hashedBytes == 0)
    try second.catalogue.store.remove(try #require(second.catalogue.entry(at: "empty")).hashes.number)
    #expect(try remembering.serve().events.added == ["a", "b/c", "empty"])
  }

  @Test(
    arguments: [
      "UPDATE file SET number = 9223372036854775807 WHERE path = 'a'",
      "UPDATE file SET number = -1 WHERE path = 'a'",
      "UPDATE sqlite_sequence SET seq = 9223372036854775806",
      "UPDATE sqlite_sequence SET seq = 2199023255550",
    ] as [SQLText])
  func `an invalid number in an open database is an error, and the next start hashes all files`(
    sql: SQLText
  ) throws {
    var first: (catalogue: Catalogue, events: Events)? = try remembering.serve()
    try remembering.edit(sql.text)
    temporary.write("a", pattern(3_000_000, seed: 7))
    first?.catalogue.load(try FolderScan(try #require(first).catalogue.folder).files, onEvent: { _ in })
    #expect(throws: DatabaseError.self) {
      try first?.catalogue.expectStored()
      _ = try first?.catalogue.store.reserve("x")
    }
    first = nil
    let second = try remembering.serve()
    #expect(second.catalogue.warning?.contains("damaged") == true)
    #expect(second.events.added == ["a", "b/c", "empty"] && second.events.hashedBytes == 3_070_000)
  }

  @Test(arguments: [0, 100, 20_000]) func `a damaged database is set aside`(offset: Int) throws {
    _ = try remembering.serve()
    let file = try File(try remembering.database, .readWrite)
    let size = Int(try file.status().size)
    let garbage = [UInt8](repeating: 0xA5, count: size - offset)
    try file.write(garbage.span.bytes, at: UInt64(offset))
    let second = try remembering.serve()
    #expect(second.catalogue.warning?.contains("damaged") == true)
    #expect(second.events.added == ["a", "b/c", "empty"])
  }

  @Test func `a database in use is not set aside`() throws {
    let first = try remembering.serve()
    try remembering.edit("PRAGMA user_version = 9")
    let error = #expect(throws: HashStoreError.self) { try remembering.serve() }
    #expect(error?.description.contains("another p2pnode is using it") == true)
    withExtendedLifetime(first) {}
  }

  @Test func `two processes can serve one folder without breaking each other's hashes`() throws {
    let first = try remembering.serve()
    let second = try remembering.serve()
    #expect(second.events.hashedBytes == 0)
    temporary.write("b/c", pattern(100, seed: 4))
    second.catalogue.load(try FolderScan(second.catalogue.folder).files, onEvent: second.events.add)
    for catalogue in [first.catalogue, second.catalogue] {
      let entry = try #require(catalogue.entries.first)
      #expect(try catalogue.leafHashes(of: ChunkIndex(2), entry).hashes.count == 56)
    }
  }

  @Test func `if two processes hash one file, the later one uses the hashes of the earlier one`() throws {
    let served = try ServedFolder(temporary.path)
    let stores = try (0..<2).map { _ in try HashStore(of: served, in: remembering.state.path) }
    let status = try served.status("a")
    let (file, _) = try reference(pattern(3_000_000))
    let numbers = try stores.map { store in
      let hash = FinishedHash(
        path: "a", status: status, tree: HashTree(file), reserved: try store.reserve("a"), leaves: [])
      return try #require(try store.finish([hash])[0])
    }
    #expect(numbers[0] == numbers[1])
  }

  @Test func `what a killed process had begun is cleaned up by the next that is alone`() throws {
    let served = try ServedFolder(temporary.path)
    var store: HashStore? = try HashStore(of: served, in: remembering.state.path)
    let number = try store!.reserve("x")
    try store!.write([ChunkLeaves(chunk: ChunkIndex(0), hashes: [.zero])], of: number)
    let second = try HashStore(of: served, in: remembering.state.path)
    #expect(try second.leafHashes(of: ChunkIndex(0), of: KnownFile(number: number, root: .zero)) == [.zero])
    store = nil
    let third = try HashStore(of: served, in: remembering.state.path)
    try third.removeUnfinished { _ in false }
    #expect(try third.leafHashes(of: ChunkIndex(0), of: KnownFile(number: number, root: .zero)) == [])
    // The process that was still hashing it must start again.
    let status = try served.status("a")
    let (file, _) = try reference(pattern(3_000_000))
    let hash = FinishedHash(path: "a", status: status, tree: HashTree(file), reserved: number, leaves: [])
    #expect(try second.finish([hash]) == [nil])
  }

  @Test func `a folder is stored under its real path, and its hashes are readable by the owner alone`() throws {
    _ = try remembering.serve()
    let link = TemporaryFolder()
    symlink(temporary.path, link("link"))
    let catalogue = try Catalogue(
      folder: try ServedFolder(link("link")), stateFolder: remembering.state.path, now: later(10), bucketOf: { _ in 0 })
    let events = Events()
    catalogue.load(try FolderScan(catalogue.folder).files, onEvent: events.add)
    #expect(events.hashedBytes == 0)
    for name in remembering.state.names { #expect(remembering.state.mode(name) == 0o600, "\(name)") }
  }

  @Test func `a missing state folder is an error that names the folder`() throws {
    let error = #expect(throws: HashStoreError.self) {
      try HashStore(of: try ServedFolder(temporary.path), in: temporary("missing"))
    }
    #expect(error?.description == "\(temporary("missing")): No such file or directory")
  }
}

/// SQL of a test. Like all SQL here, it is a literal.
struct SQLText: ExpressibleByStringLiteral, CustomStringConvertible, Sendable {
  let text: StaticString
  init(stringLiteral text: StaticString) { self.text = text }
  var description: String { "\(text)" }
}
