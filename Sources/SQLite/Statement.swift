// A prepared statement, its parameters and its rows.
import CSQLiteLibrary

/// A value for a parameter.
public enum DatabaseValue: Sendable {
  case null
  case integer(Int64)
  case text(String)
  case blob([UInt8])
}

/// A statement, prepared once and run any number of times by one thread at a time: its methods are `mutating`.
///
/// Safe to move between threads, because SQLite is opened in its serialized mode. See `Database`.
public struct Statement: ~Copyable, @unchecked Sendable {
  private let statement: OpaquePointer
  private let path: String

  init(_ sql: StaticString, _ connection: OpaquePointer, path: String) throws(DatabaseError) {
    var prepared: OpaquePointer?
    let code = sql.withUTF8Buffer { text in
      text.withMemoryRebound(to: CChar.self) { text in
        sqlite3_prepare_v3(
          connection, text.baseAddress, Int32(text.count), UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
      }
    }
    guard code == SQLITE_OK, let prepared else { throw DatabaseError(connection, path: path) }
    statement = prepared
    self.path = path
  }

  deinit { sqlite3_finalize(statement) }

  /// Runs the statement with these values for its parameters, in order. Ignores its rows.
  public mutating func run(_ values: DatabaseValue...) throws(DatabaseError) {
    defer { reset() }
    try bind(values)
    while try step() {}
  }

  /// Runs the statement and returns the result of `body` for the first row. Nil if there is no row.
  public mutating func first<T>(
    _ values: DatabaseValue..., body: (borrowing Row) throws(DatabaseError) -> T
  ) throws(DatabaseError) -> T? {
    defer { reset() }
    try bind(values)
    return try step() ? try body(Row(statement)) : nil
  }

  /// Runs the statement and calls `body` with each row.
  public mutating func forEach(
    _ values: DatabaseValue..., body: (borrowing Row) throws(DatabaseError) -> Void
  ) throws(DatabaseError) {
    defer { reset() }
    try bind(values)
    while try step() { try body(Row(statement)) }
  }

  private func step() throws(DatabaseError) -> Bool {
    switch sqlite3_step(statement) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default: throw DatabaseError(sqlite3_db_handle(statement), path: path)
    }
  }

  private func reset() {
    sqlite3_reset(statement)
    sqlite3_clear_bindings(statement)
  }

  private func bind(_ values: [DatabaseValue]) throws(DatabaseError) {
    precondition(values.count == Int(sqlite3_bind_parameter_count(statement)), "one value a parameter")
    // SQLITE_TRANSIENT: SQLite copies the value.
    let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    for (i, value) in values.enumerated() {
      let index = Int32(i + 1)
      let code =
        switch value {
        case .null: sqlite3_bind_null(statement, index)
        case .integer(let integer): sqlite3_bind_int64(statement, index, integer)
        case .text(let text):
          sqlite3_bind_text64(
            statement, index, text, sqlite3_uint64(text.utf8.count), copied, UInt8(SQLITE_UTF8))
        case .blob(let bytes):
          // An empty array may have no address. That would bind NULL.
          bytes.isEmpty
            ? sqlite3_bind_zeroblob(statement, index, 0)
            : sqlite3_bind_blob64(statement, index, bytes, sqlite3_uint64(bytes.count), copied)
        }
      guard code == SQLITE_OK else { throw DatabaseError(sqlite3_db_handle(statement), path: path) }
    }
  }
}

/// A row of a result. Valid only while the closure that received it runs.
public struct Row: ~Copyable {
  private let statement: OpaquePointer

  fileprivate init(_ statement: OpaquePointer) { self.statement = statement }

  /// Returns an integer. 0 if the column is NULL or not a number.
  public func integer(_ column: Int) -> Int64 { sqlite3_column_int64(statement, Int32(column)) }

  /// Returns a text. Nil if the column is NULL.
  public func text(_ column: Int) -> String? {
    guard let start = sqlite3_column_text(statement, Int32(column)) else { return nil }
    let count = Int(sqlite3_column_bytes(statement, Int32(column)))
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }

  /// Returns bytes. Empty if the column is NULL.
  public func blob(_ column: Int) -> [UInt8] {
    guard let start = sqlite3_column_blob(statement, Int32(column)) else { return [] }
    return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, Int32(column)))))
  }
}
