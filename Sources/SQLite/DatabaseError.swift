// Failures of SQLite as values: the database, the code and the reason.
import CSQLiteLibrary

/// An SQLite call that failed.
public struct DatabaseError: Error, Hashable, Sendable, CustomStringConvertible {
  /// SQLite's extended result code.
  public let code: Int32
  /// SQLite's message.
  public let message: String
  /// The path of the database file.
  public let path: String

  init(code: Int32, message: String, path: String) {
    self.code = code
    self.message = message
    self.path = path
  }

  /// Makes the error for a value in the database that this program never writes.
  public static func damaged(_ path: String, _ message: String) -> DatabaseError {
    DatabaseError(code: SQLITE_CORRUPT, message: message, path: path)
  }

  /// Makes the error for the last failure of a connection.
  init(_ connection: OpaquePointer?, path: String) {
    self.init(
      code: sqlite3_extended_errcode(connection), message: String(cString: sqlite3_errmsg(connection)), path: path)
  }

  private var primaryCode: Int32 { code & 0xFF }

  /// Whether the file is not a database, is damaged, or lacks the tables that a statement names.
  public var isDamage: Bool {
    primaryCode == SQLITE_CORRUPT || primaryCode == SQLITE_NOTADB || primaryCode == SQLITE_ERROR
  }
  /// Whether another process held the database for longer than the busy timeout.
  public var isBusy: Bool { primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED }

  public var description: String { "\(path): \(message)" }
}
