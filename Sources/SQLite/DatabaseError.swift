// Failures of SQLite as values: what was done to which database, and why it failed.
import CSQLiteLibrary

/// A call of SQLite that failed.
public struct DatabaseError: Error, Hashable, Sendable, CustomStringConvertible {
  /// SQLite's extended result code.
  public let code: Int32
  /// SQLite's own words.
  public let message: String
  /// The database's file.
  public let path: String

  init(code: Int32, message: String, path: String) {
    self.code = code
    self.message = message
    self.path = path
  }

  /// A value in the database is one that its program never writes.
  public static func damaged(_ path: String, _ message: String) -> DatabaseError {
    DatabaseError(code: SQLITE_CORRUPT, message: message, path: path)
  }

  /// The last failure of a connection.
  init(_ connection: OpaquePointer?, path: String) {
    self.init(
      code: sqlite3_extended_errcode(connection), message: String(cString: sqlite3_errmsg(connection)), path: path)
  }

  private var primaryCode: Int32 { code & 0xFF }

  /// The file is no database, or a damaged one, or has not the tables that a statement names.
  public var isDamage: Bool {
    primaryCode == SQLITE_CORRUPT || primaryCode == SQLITE_NOTADB || primaryCode == SQLITE_ERROR
  }
  /// Another process held the database for longer than the busy timeout.
  public var isBusy: Bool { primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED }

  public var description: String { "\(path): \(message)" }
}
