// Remembers the hashes of a folder's files for the next update, so that an unchanged file is not read again.
import Content
import Posix
import SQLite
import Synchronization

/// The roots and chunk hashes of the files below one folder, in their own database. If the database fails, files are
/// hashed again. Thread-safe.
final class RootMemory: Sendable {
  /// The clock of a file system may be as coarse as this. A younger file may change again without a new time.
  static let ageMinNanoseconds: Int64 = 2_000_000_000
  /// "p2pr" in ASCII: marks these databases.
  private static let applicationID: Int64 = 0x7032_7072
  /// The version of the table below. A database of another version is replaced.
  private static let version: Int64 = 2
  /// A writing process finishes within this time.
  private static let busyTimeoutMilliseconds: Int32 = 5_000

  private let statements: Mutex<Statements>

  private struct Statements: ~Copyable {
    let database: Database
    var find: Statement
    var insert: Statement
  }

  /// Opens or makes the memory of a folder, named by the folder's real path. Nil if that fails.
  init?(of folder: borrowing Directory, in stateFolder: String) {
    guard let state = try? Directory(stateFolder), let path = try? folder.realPath() else { return nil }
    let name = String(Digest(sha256: Array(path.utf8).span.bytes).hex.prefix(32)) + ".roots"
    _ = try? state.open(name, [.readWrite, .createExclusive], mode: 0o600)
    let file = state.path(of: name)
    if let statements = try? RootMemory.open(file) {
      self.statements = Mutex(statements)
      return
    }
    // The database is damaged or has another version.
    for part in ["", "-wal", "-shm", "-journal"] { try? state.remove(name + part) }
    _ = try? state.open(name, [.readWrite, .createExclusive], mode: 0o600)
    guard let statements = try? RootMemory.open(file) else { return nil }
    self.statements = Mutex(statements)
  }

  private static func open(_ path: String) throws(DatabaseError) -> Statements {
    let database = try Database(path, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    let tables = try database.integer("SELECT count(*) FROM sqlite_schema") ?? 0
    if tables == 0 { try makeTable(database) }
    guard try database.integer("PRAGMA application_id") == applicationID,
      try database.integer("PRAGMA user_version") == version,
      try database.text("PRAGMA quick_check(1)") == "ok"
    else { throw .damaged(path, "not a memory of roots") }
    try database.run("PRAGMA synchronous = NORMAL")
    let find = try database.prepare(
      """
      SELECT root, chunks FROM root WHERE path = ? AND device = ? AND inode = ? AND size = ? AND modified = ?
      AND modified_ns = ? AND changed = ? AND changed_ns = ?
      """)
    let insert = try database.prepare("INSERT OR REPLACE INTO root VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    return Statements(database: database, find: find, insert: insert)
  }

  private static func makeTable(_ database: borrowing Database) throws(DatabaseError) {
    try database.run("PRAGMA journal_mode = WAL")
    try database.begin()
    do throws(DatabaseError) {
      try database.run(
        """
        CREATE TABLE root (
          path TEXT PRIMARY KEY,
          device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
          modified INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
          changed INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
          root BLOB NOT NULL,
          chunks BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        PRAGMA application_id = 0x70327072;
        PRAGMA user_version = 2;
        """)
      try database.commit()
    } catch {
      database.rollBack()
      throw error
    }
  }

  /// Returns the hashes of a file whose status has not changed since it was hashed. Nil if they are not known.
  func content(_ path: FolderPath, _ status: FileStatus) -> HashedContent? {
    statements.withLock { statements in
      let values = RootMemory.values(path, status)
      let blobs = try? statements.find.first(
        values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7]
      ) { ($0.blob(0), $0.blob(1)) }
      guard let (root, chunks) = blobs, root.count == Digest.byteCount, chunks.count % Digest.byteCount == 0 else {
        return nil
      }
      return HashedContent(
        root: Digest(root.span.bytes, at: 0), length: status.size,
        chunkHashes: stride(from: 0, to: chunks.count, by: Digest.byteCount).map { Digest(chunks.span.bytes, at: $0) })
    }
  }

  /// A file that was hashed.
  struct File {
    let path: FolderPath
    let status: FileStatus
    let content: HashedContent
  }

  /// Remembers files, except those that were too young when hashing began.
  /// - `start`: when hashing began, in nanoseconds since 1970.
  func remember(_ files: [File], hashedFrom start: Int64) {
    let old = files.filter { RootMemory.isOld($0.status, at: start) }
    guard !old.isEmpty else { return }
    statements.withLock { statements in
      do throws(DatabaseError) {
        try statements.database.begin()
        for file in old {
          let values = RootMemory.values(file.path, file.status)
          var chunks: [UInt8] = []
          chunks.reserveCapacity(file.content.chunkHashes.count * Digest.byteCount)
          for hash in file.content.chunkHashes { hash.append(to: &chunks) }
          try statements.insert.run(
            values[0], values[1], values[2], values[3], values[4], values[5], values[6], values[7],
            .blob(file.content.root.bytes), .blob(chunks))
        }
        try statements.database.commit()
      } catch {
        // The next update reads these files again.
        statements.database.rollBack()
      }
    }
  }

  /// Whether a file was old enough at a moment that every later change gets a new time.
  static func isOld(_ status: FileStatus, at nanoseconds: Int64) -> Bool {
    let limit = nanoseconds - ageMinNanoseconds
    let (seconds, rest) = limit.quotientAndRemainder(dividingBy: 1_000_000_000)
    let time = FileTime(seconds: seconds, nanoseconds: rest)
    return status.modified <= time && status.changed <= time
  }

  private static func values(_ path: FolderPath, _ status: FileStatus) -> [DatabaseValue] {
    [
      .text(path.description), .integer(Int64(bitPattern: status.identity.device)),
      .integer(Int64(bitPattern: status.identity.inode)), .integer(Int64(bitPattern: status.size)),
      .integer(status.modified.seconds), .integer(status.modified.nanoseconds),
      .integer(status.changed.seconds), .integer(status.changed.nanoseconds),
    ]
  }
}
