// Finds, makes and checks the database of a served folder. A database that is damaged or belongs to another program is
// set aside with its side files, and a new one is made.
import Content
import Posix
import SQLite

/// An existing database that is fit for use.
struct HashStoreOpening: ~Copyable {
  /// A writing process finishes within this time.
  private static let busyTimeoutMilliseconds: Int32 = 10_000
  /// "p2pc" in ASCII: marks the databases of this program.
  private static let applicationID: Int64 = 0x7032_7063
  /// The version of the tables below. An older program sets a newer database aside; it does not guess.
  private static let version: Int64 = 2

  let path: String
  let warning: String?
  /// Whether no other process uses the database. Then unfinished files in it are left over from a killed process.
  let isFirst: Bool
  private let lock: File

  /// The number of hexadecimal digits in the name of a database.
  static let nameDigits = 32
  /// The file that is locked while a database is opened.
  static let openingLock = "opening.lock"

  /// Finds or makes the database below the state folder. Its name comes from the served folder's real path, so it is
  /// the same for every way of naming that folder. If only some names of a folder are served, they have their own
  /// database, because a database of the whole folder forgets the files that a scan does not find.
  init(of folder: ServedFolder, in stateFolder: String) throws(HashStoreError) {
    let state = try attempt({ () throws(Errno) in try Directory(stateFolder) }, orThrow: HashStoreError.io)
    let realPath = try attempt({ () throws(Errno) in try folder.directory.realPathBytes() }, orThrow: HashStoreError.io)
    let key = realPath + (folder.rules.only == nil ? [] : [0])
    let name = String(Digest(sha256: key.span.bytes).hex.prefix(HashStoreOpening.nameDigits)) + ".sqlite"
    let path = state.path(of: name)
    var warning: String?
    // Only one process opens a database at a time. The other lock is held longer, and shows which process was first.
    let opening = try HashStoreOpening.lockFile(HashStoreOpening.openingLock, in: state)
    try attempt({ () throws(Errno) in try opening.lock() }, orThrow: HashStoreError.io)
    let lock = try HashStoreOpening.lockFile(name + ".lock", in: state)
    let isFirst = try attempt({ () throws(Errno) in try lock.tryLock() }, orThrow: HashStoreError.io)
    try HashStoreOpening.makeIfMissing(name, in: state)
    if let fault = try HashStoreOpening.fault(of: path, isFirst: isFirst) {
      guard isFirst else { throw .inUse(path: path, why: fault) }
      let aside = name + ".set-aside"
      try HashStoreOpening.setAside(name, as: aside, in: state)
      warning = "\(path): \(fault); it is now called \(aside), and all files are hashed again"
      try HashStoreOpening.makeIfMissing(name, in: state)
      if let fault = try HashStoreOpening.fault(of: path, isFirst: isFirst) { throw .inUse(path: path, why: fault) }
    }
    _ = consume opening
    self.path = path
    self.warning = warning
    self.isFirst = isFirst
    self.lock = lock
  }

  /// Hands over the lock that shows which process was first. Hold it while the database is used.
  consuming func takeLock() -> File { lock }

  static func connect(_ path: String) throws(DatabaseError) -> Database {
    let database = try Database(path, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    // A power cut may lose the latest hashes but does not damage the database. The log file shrinks after a large
    // write.
    try database.run("PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864")
    return database
  }

  // MARK: Files

  private static func lockFile(_ name: String, in state: borrowing Directory) throws(HashStoreError) -> File {
    do throws(Errno) {
      do throws(Errno) { return try state.open(name, [.readWrite, .createExclusive], mode: 0o600) } catch {
        guard error.code == Errno.exists else { throw error }
        return try state.open(name, [.readWrite, .noFollow])
      }
    } catch {
      throw .io(error)
    }
  }

  /// Makes the file with mode 0600, so that no other user may read it. An existing file is not even opened: closing it
  /// would drop the locks of other connections in this process.
  private static func makeIfMissing(_ name: String, in state: borrowing Directory) throws(HashStoreError) {
    do throws(Errno) { _ = try state.open(name, [.readWrite, .createExclusive], mode: 0o600) } catch {
      guard error.code == Errno.exists else { throw .io(error) }
    }
  }

  private static func setAside(_ name: String, as aside: String, in state: borrowing Directory) throws(HashStoreError) {
    for part in ["", "-wal", "-shm"] {
      do throws(Errno) { try state.rename(name + part, to: aside + part) } catch {
        guard error.code == Errno.noEntry else { throw .io(error) }
      }
    }
  }

  // MARK: Checking

  /// Returns why a database cannot be used, or nil if it can. An empty one gets its tables.
  private static func fault(of path: String, isFirst: Bool) throws(HashStoreError) -> String? {
    do throws(DatabaseError) {
      let database = try connect(path)
      let id = try database.integer("PRAGMA application_id")
      let version = try database.integer("PRAGMA user_version") ?? 0
      let tables = try database.integer("SELECT count(*) FROM sqlite_schema") ?? 0
      if id == 0 && version == 0 && tables == 0 {
        try makeTables(database)
        return nil
      }
      guard id == applicationID else { return "it belongs to another program" }
      guard version <= self.version else { return "it was written by a newer p2pnode" }
      guard version >= 1 else { return "it is damaged" }
      if version < self.version {
        guard isFirst else { return "it was written by an older p2pnode" }
        guard try numbersFit(database) else { return "it is damaged (a file has an impossible number)" }
        try migrate(database)
      }
      // The leaf hashes, by far the largest part, are checked when they are used.
      guard try database.text("PRAGMA quick_check(file)") == "ok",
        try database.text("PRAGMA quick_check(page)") == "ok"
      else { return "it is damaged" }
      guard try numbersFit(database) else { return "it is damaged (a file has an impossible number)" }
      _ = try HashReading(try connect(path))
      _ = try HashWriting(database)
      return nil
    } catch {
      if error.isDamage { return "it is damaged (\(error.message))" }
      throw .database(error)
    }
  }

  /// Whether the numbers of all files are valid and the next one will be too. SQLite gives each new row a number above
  /// all earlier ones.
  private static func numbersFit(_ database: borrowing Database) throws(DatabaseError) -> Bool {
    let first = try database.integer("SELECT coalesce(min(number), 1) FROM file") ?? 1
    let last = try database.integer("SELECT coalesce(max(number), 1) FROM file") ?? 1
    let given = try database.integer("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'file'") ?? 0
    return RowNumber.files.contains(first) && RowNumber.files.contains(last) && given < RowNumber.files.upperBound
  }

  /// Numbers are never reused, so a number that another process still holds means no other file. A database page of 16
  /// KiB holds the leaf hashes of seven chunks with little waste.
  private static func makeTables(_ database: borrowing Database) throws(DatabaseError) {
    try database.run("PRAGMA page_size = 16384; PRAGMA journal_mode = WAL")
    try database.begin()
    do throws(DatabaseError) {
      try database.run(
        """
        CREATE TABLE file (
          number INTEGER PRIMARY KEY AUTOINCREMENT,
          path TEXT NOT NULL,
          device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
          modified INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
          changed INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
          root BLOB -- NULL while it is being hashed
        ) STRICT;
        CREATE TABLE page (
          row INTEGER PRIMARY KEY, -- file's number << 12 | page
          hashes BLOB NOT NULL, uncles BLOB NOT NULL
        ) STRICT;
        CREATE TABLE leaves (
          row INTEGER PRIMARY KEY, -- file's number << 22 | chunk
          hashes BLOB NOT NULL
        ) STRICT;
        PRAGMA application_id = 0x70327063;
        """)
      try addFolders(database)
      try database.commit()
    } catch {
      database.rollBack()
      throw error
    }
  }

  /// Adds what version 2 has and version 1 had not.
  private static func addFolders(_ database: borrowing Database) throws(DatabaseError) {
    try database.run(
      """
      ALTER TABLE file ADD COLUMN mode INTEGER NOT NULL DEFAULT -1; -- -1: unknown
      ALTER TABLE file ADD COLUMN retired INTEGER; -- the newest listing when no path had the file any more
      CREATE UNIQUE INDEX file_of_path ON file (path) WHERE root IS NOT NULL AND retired IS NULL;
      CREATE INDEX file_of_root ON file (root) WHERE retired IS NOT NULL;
      CREATE TABLE listing (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        folder TEXT NOT NULL, -- relative to the served folder
        root BLOB NOT NULL, size INTEGER NOT NULL, contents_size INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX listing_of_folder ON listing (folder);
      CREATE TABLE listing_part (
        row INTEGER PRIMARY KEY, -- listing's number << 10 | part
        bytes BLOB NOT NULL
      ) STRICT;
      PRAGMA user_version = 2;
      """)
  }

  /// Updates version 1, in which a file had at most 2^20 chunks and the rows were numbered for that. Loses no hash.
  private static func migrate(_ database: borrowing Database) throws(DatabaseError) {
    try database.begin()
    do throws(DatabaseError) {
      try database.run(
        """
        ALTER TABLE page RENAME TO old_page;
        CREATE TABLE page (row INTEGER PRIMARY KEY, hashes BLOB NOT NULL, uncles BLOB NOT NULL) STRICT;
        INSERT INTO page SELECT (row >> 10) << 12 | (row & 1023), hashes, uncles FROM old_page ORDER BY row;
        DROP TABLE old_page;
        ALTER TABLE leaves RENAME TO old_leaves;
        CREATE TABLE leaves (row INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
        INSERT INTO leaves SELECT (row >> 20) << 22 | (row & 1048575), hashes FROM old_leaves ORDER BY row;
        DROP TABLE old_leaves;
        DROP INDEX file_of_path;
        """)
      try addFolders(database)
      try database.commit()
    } catch {
      database.rollBack()
      throw error
    }
  }
}
