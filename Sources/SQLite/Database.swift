// A connection to an SQLite database. Only this file, `Statement` and `DatabaseError` import CSQLiteLibrary.
import CSQLiteLibrary

/// An open database, closed at the end of this value.
///
/// Safe to move between threads: SQLite is opened in its serialized mode, and the pointer never changes. SQL is a
/// `StaticString` and values are bound, so that no text from outside can become part of it.
public struct Database: ~Copyable, @unchecked Sendable {
  private let connection: OpaquePointer
  /// The path of the database file.
  public let path: String

  /// Opens an existing file; an empty file is an empty database. Waits for the lock of another process up to the
  /// timeout. The corresponding C function is `sqlite3_open_v2`.
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

  // Statements that still exist keep the connection open.
  deinit { sqlite3_close_v2(connection) }

  /// Runs statements and ignores their rows. The corresponding C function is `sqlite3_exec`.
  public func run(_ sql: StaticString) throws(DatabaseError) {
    let text = sql.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
    guard sqlite3_exec(connection, text, nil, nil, nil) == SQLITE_OK else {
      throw DatabaseError(connection, path: path)
    }
  }

  /// Prepares a statement, which can run any number of times.
  public func prepare(_ sql: StaticString) throws(DatabaseError) -> Statement {
    try Statement(sql, connection, path: path)
  }

  /// Returns the first column of the first row, for example of a PRAGMA. Nil if there is no row.
  public func integer(_ sql: StaticString) throws(DatabaseError) -> Int64? {
    var statement = try prepare(sql)
    return try statement.first { $0.integer(0) }
  }

  /// As `integer`, for text.
  public func text(_ sql: StaticString) throws(DatabaseError) -> String? {
    var statement = try prepare(sql)
    return try statement.first { $0.text(0) } ?? nil
  }

  /// The number of rows that the last INSERT, UPDATE or DELETE changed.
  public var changedRowCount: Int { Int(sqlite3_changes(connection)) }

  /// The rowid of the last INSERT.
  public var lastRowID: Int64 { sqlite3_last_insert_rowid(connection) }

  /// Begins a write transaction. It takes the write lock at once, so that it never fails later because another process
  /// writes.
  public func begin() throws(DatabaseError) { try run("BEGIN IMMEDIATE") }

  public func commit() throws(DatabaseError) { try run("COMMIT") }

  /// Undoes the transaction. Does nothing if SQLite already undid it.
  public func rollBack() { try? run("ROLLBACK") }
}
