// A connection to an SQLite database; the only room that imports CSQLiteLibrary, with `Statement` and `DatabaseError`.
import CSQLiteLibrary

/// An open database, closed with its owner.
///
/// Safe to hand from thread to thread: SQLite is opened in its serialized mode, and the pointer never changes.
/// SQL is `StaticString`, so that no text from outside can become part of it: values are bound.
public struct Database: ~Copyable, @unchecked Sendable {
  private let connection: OpaquePointer
  /// The database's file.
  public let path: String

  /// Opens a file that exists; an empty one is an empty database. A lock of another process is waited for as long as the
  /// timeout says. The corresponding C function is `sqlite3_open_v2`.
  public init(_ path: String, busyTimeoutMilliseconds: Int32) throws(DatabaseError) {
    var opened: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE
    let code = sqlite3_open_v2(path, &opened, flags, nil)
    guard code == SQLITE_OK, let opened else {
      let error = DatabaseError(code: code, message: String(cString: sqlite3_errstr(code)), path: path)
      sqlite3_close_v2(opened)
      throw error
    }
    connection = opened
    self.path = path
    sqlite3_busy_timeout(opened, busyTimeoutMilliseconds)
  }

  // Statements that are still alive keep the connection until they go.
  deinit { sqlite3_close_v2(connection) }

  /// Runs statements whose rows, if any, do not matter. The corresponding C function is `sqlite3_exec`.
  public func run(_ sql: StaticString) throws(DatabaseError) {
    let text = sql.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
    guard sqlite3_exec(connection, text, nil, nil, nil) == SQLITE_OK else {
      throw DatabaseError(connection, path: path)
    }
  }

  /// Makes a statement, to be run any number of times.
  public func prepare(_ sql: StaticString) throws(DatabaseError) -> Statement {
    try Statement(sql, connection, path: path)
  }

  /// The value of the first column of the first row, for a PRAGMA; nil where there is no row.
  public func integer(_ sql: StaticString) throws(DatabaseError) -> Int64? {
    var statement = try prepare(sql)
    return try statement.first { $0.integer(0) }
  }

  /// As `integer`, of text.
  public func text(_ sql: StaticString) throws(DatabaseError) -> String? {
    var statement = try prepare(sql)
    return try statement.first { $0.text(0) } ?? nil
  }

  /// Rows that the last INSERT, UPDATE or DELETE changed.
  public var changedRowCount: Int { Int(sqlite3_changes(connection)) }

  /// The rowid that the last INSERT gave.
  public var lastRowID: Int64 { sqlite3_last_insert_rowid(connection) }

  /// Begins a transaction as a writer, so that it never has to give up in the middle because another process was faster.
  public func begin() throws(DatabaseError) { try run("BEGIN IMMEDIATE") }

  public func commit() throws(DatabaseError) { try run("COMMIT") }

  /// Undoes the transaction; SQLite may have done that already.
  public func rollBack() { try? run("ROLLBACK") }
}
