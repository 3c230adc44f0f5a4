// The SQLite wrapper: values are read back unchanged, text never becomes SQL, and errors say what failed.
import Foundation
import Testing

@testable import SQLite

/// A database in its own file, for one test.
private final class Scratch {
  let path = NSTemporaryDirectory() + "/p2pnode-sqlite-\(UUID().uuidString)"

  init(_ content: String = "") { _ = FileManager.default.createFile(atPath: path, contents: Data(content.utf8)) }

  func open() throws -> Database { try Database(path, busyTimeoutMilliseconds: 0) }

  deinit { for part in ["", "-wal", "-shm", "-journal"] { try? FileManager.default.removeItem(atPath: path + part) } }
}

@Suite struct DatabaseTests {
  private let scratch = Scratch()

  @Test func `values are read back as they were written`() throws {
    let database = try scratch.open()
    try database.run("CREATE TABLE t (i INTEGER, x TEXT, b BLOB)")
    var insert = try database.prepare("INSERT INTO t VALUES (?, ?, ?)")
    let blob = (0...255).map { UInt8($0) }
    try insert.run(.integer(.min), .text("a\n'\u{1F4BE}"), .blob(blob))
    try insert.run(.integer(.max), .text(""), .blob([]))
    try insert.run(.null, .null, .null)
    #expect(database.lastRowID == 3 && database.changedRowCount == 1)
    var select = try database.prepare("SELECT i, x, b, b IS NULL FROM t ORDER BY rowid")
    var rows: [String] = []
    try select.forEach { rows.append("\($0.integer(0)) \($0.text(1) ?? "none") \($0.blob(2).count) \($0.integer(3))") }
    #expect(rows == ["\(Int64.min) a\n'\u{1F4BE} 256 0", "\(Int64.max)  0 0", "0 none 0 1"])
    #expect(try select.first { $0.blob(2) } == blob)
  }

  @Test func `text that looks like SQL stays text`() throws {
    let database = try scratch.open()
    try database.run("CREATE TABLE t (x TEXT)")
    var insert = try database.prepare("INSERT INTO t VALUES (?)")
    let evil = "'); DROP TABLE t; --"
    try insert.run(.text(evil))
    #expect(try database.text("SELECT x FROM t") == evil)
  }

  @Test func `a rollback undoes all changes, and a statement that failed can run again`() throws {
    let database = try scratch.open()
    try database.run("CREATE TABLE t (x INTEGER UNIQUE)")
    var insert = try database.prepare("INSERT INTO t VALUES (?)")
    try database.begin()
    try insert.run(.integer(1))
    #expect(throws: DatabaseError.self) { try insert.run(.integer(1)) }
    database.rollBack()
    #expect(try database.integer("SELECT count(*) FROM t") == 0)
    try insert.run(.integer(1))
    #expect(try database.integer("SELECT count(*) FROM t") == 1)
  }

  @Test func `errors distinguish a file that is not a database, a missing one and a locked one`() throws {
    let garbage = Scratch(String(repeating: "no database ", count: 1_000))
    let damaged = #expect(throws: DatabaseError.self) { _ = try garbage.open().integer("PRAGMA user_version") }
    #expect(damaged?.isDamage == true && damaged?.isBusy == false)
    #expect(damaged?.description == "\(garbage.path): file is not a database")
    let missing = #expect(throws: DatabaseError.self) { _ = try Database("/missing/x", busyTimeoutMilliseconds: 0) }
    #expect(missing?.isDamage == false)
    let first = try scratch.open()
    try first.begin()
    let busy = #expect(throws: DatabaseError.self) { try scratch.open().begin() }
    #expect(busy?.isBusy == true)
  }
}
