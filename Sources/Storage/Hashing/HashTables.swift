// The SQL statements that write files to the hash store. A file has one row, one for each page of chunk hashes, and one
// for the leaf hashes of each chunk. A file of one chunk has no page, and a file of one leaf has no leaf hashes: both
// would repeat the root.
import Content
import Posix
import SQLite

/// The leaf hashes of a chunk, on their way into the store.
struct ChunkLeaves: Sendable {
  let chunk: ChunkIndex
  let hashes: [Digest]
}

/// Numbers the rows of pages and leaves by their file and their index in it. Both parts fit the protocol's longest
/// file.
enum RowNumber {
  /// The numbers that a file may have. Above them, the row numbers of this file or of the next would overflow.
  static let files: ClosedRange<Int64> = 1...(Int64.max >> 22) - 1

  /// Checks a file number from the database. Throws if it is out of range, because then the database is damaged.
  static func checked(_ number: Int64, in path: String) throws(DatabaseError) -> Int64 {
    guard files.contains(number) else { throw .damaged(path, "\(number) is not the number of a file") }
    return number
  }

  /// The rows of a listing's parts. A part has 1 MiB, so there are at most 2^10.
  static func parts(ofListing number: Int64) -> ClosedRange<Int64> { number << 10...number << 10 | 1_023 }

  static func page(_ page: UInt32, of file: Int64) -> Int64 { file << 12 | Int64(page) }
  static func leaves(of chunk: UInt32, of file: Int64) -> Int64 { file << 22 | Int64(chunk) }
}

/// The statements that write, with their connection. The caller begins a transaction before it uses them.
struct HashWriting: ~Copyable {
  let database: Database
  private var insertFile: Statement
  private var finishFile: Statement
  private var renameFile: Statement
  private var findPath: Statement
  private var updateFile: Statement
  private var retireFile: Statement
  private var removeFile: Statement
  private var removePages: Statement
  private var removeLeaves: Statement
  private var insertPage: Statement
  private var insertLeaves: Statement

  init(_ database: consuming Database) throws(DatabaseError) {
    // Prepares all statements first, because a noncopyable value must be initialised completely or not at all.
    let insertFile = try database.prepare(
      """
      INSERT INTO file (path, device, inode, size, modified, modified_ns, changed, changed_ns, mode, root)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """)
    let finishFile = try database.prepare(
      """
      UPDATE file SET path = ?, device = ?, inode = ?, size = ?, modified = ?, modified_ns = ?, changed = ?,
      changed_ns = ?, mode = ?, root = ? WHERE number = ? AND root IS NULL
      """)
    let renameFile = try database.prepare(
      "UPDATE file SET path = ?, changed = ?, changed_ns = ?, mode = ? WHERE number = ?")
    let findPath = try database.prepare(
      "SELECT number, root, size FROM file WHERE path = ? AND root IS NOT NULL AND retired IS NULL")
    let updateFile = try database.prepare(
      """
      UPDATE file SET device = ?, inode = ?, modified = ?, modified_ns = ?, changed = ?, changed_ns = ?, mode = ?
      WHERE number = ?
      """)
    let retireFile = try database.prepare(
      "UPDATE file SET retired = (SELECT max(number) FROM listing) WHERE number = ?")
    let removeFile = try database.prepare("DELETE FROM file WHERE number = ?")
    let removePages = try database.prepare("DELETE FROM page WHERE row BETWEEN ? AND ?")
    let removeLeaves = try database.prepare("DELETE FROM leaves WHERE row BETWEEN ? AND ?")
    let insertPage = try database.prepare("INSERT INTO page (row, hashes, uncles) VALUES (?, ?, ?)")
    let insertLeaves = try database.prepare("INSERT OR REPLACE INTO leaves (row, hashes) VALUES (?, ?)")
    self.insertFile = insertFile
    self.finishFile = finishFile
    self.renameFile = renameFile
    self.findPath = findPath
    self.updateFile = updateFile
    self.retireFile = retireFile
    self.removeFile = removeFile
    self.removePages = removePages
    self.removeLeaves = removeLeaves
    self.insertPage = insertPage
    self.insertLeaves = insertLeaves
    self.database = database
  }

  /// Writes a hashed file. Returns nil if its reserved number is gone.
  mutating func finish(_ file: FinishedHash) throws(DatabaseError) -> KnownFile? {
    if let old = try findPath.first(.text(file.path), body: { ($0.integer(0), $0.blob(1), $0.integer(2)) }) {
      let number = try RowNumber.checked(old.0, in: database.path)
      if digest(old.1) == file.tree.root, UInt64(bitPattern: old.2) == file.status.size {
        // The file has the same bytes as before, or another process hashed it first. Its hashes may be in use, so they
        // stay.
        try update(number, file.status, isYoung: file.isYoung)
        if let reserved = file.reserved, reserved != number { try remove(reserved) }
        return KnownFile(number: number, root: file.tree.root, isYoung: file.isYoung)
      }
      try retire(number)
    }
    guard let number = try insert(file) else { return nil }
    try insert(file.leaves, of: number)
    return KnownFile(number: number, root: file.tree.root, isYoung: file.isYoung)
  }

  /// Gives a file with the same bytes another status.
  private mutating func update(_ number: Int64, _ status: FileStatus, isYoung: Bool) throws(DatabaseError) {
    let (device, inode, _) = values(of: status)
    let (modified, modifiedNanoseconds) = values(of: status.modified)
    let (changed, changedNanoseconds, mode) = changeValues(of: status, isYoung: isYoung)
    try updateFile.run(
      device, inode, modified, modifiedNanoseconds, changed, changedNanoseconds, mode, .integer(number))
  }

  /// - `status`: the status of the file. Nil if the file is young, so that its times do not show a change.
  mutating func reserve(_ path: String, _ status: FileStatus?) throws(DatabaseError) -> Int64 {
    let none = DatabaseValue.integer(0)
    if let status {
      let (device, inode, size) = values(of: status)
      let (modified, modifiedNanoseconds) = values(of: status.modified)
      let (changed, changedNanoseconds) = values(of: status.changed)
      try insertFile.run(
        .text(path), device, inode, size, modified, modifiedNanoseconds, changed, changedNanoseconds, none, .null)
    } else {
      try insertFile.run(.text(path), none, none, none, none, none, none, none, none, .null)
    }
    return try RowNumber.checked(database.lastRowID, in: database.path)
  }

  /// Inserts a file with its pages, or completes the reserved row. Nil if the reserved row is gone.
  private mutating func insert(_ file: FinishedHash) throws(DatabaseError) -> Int64? {
    let (path, status, tree) = (file.path, file.status, file.tree)
    let number: Int64
    let root = DatabaseValue.blob(tree.root.bytes)
    let (device, inode, size) = values(of: status)
    let (modified, modifiedNanoseconds) = values(of: status.modified)
    let (changed, changedNanoseconds, mode) = changeValues(of: status, isYoung: file.isYoung)
    if let reserved = file.reserved {
      try finishFile.run(
        .text(path), device, inode, size, modified, modifiedNanoseconds, changed, changedNanoseconds, mode, root,
        .integer(reserved))
      guard database.changedRowCount == 1 else { return nil }
      number = reserved
    } else {
      try insertFile.run(
        .text(path), device, inode, size, modified, modifiedNanoseconds, changed, changedNanoseconds, mode, root)
      number = try RowNumber.checked(database.lastRowID, in: database.path)
    }
    // A file of one chunk has no page: the chunk's hash is the root.
    for index in 0..<(tree.chunkHashes.count > 1 ? tree.pages.pageCount : 0) {
      guard let page = tree.page(PageIndex(UInt32(index))) else { preconditionFailure("the tree has its pages") }
      try insertPage.run(
        .integer(RowNumber.page(UInt32(index), of: number)), .blob(bytes(page.chunkHashes)), .blob(bytes(page.uncles)))
    }
    return number
  }

  /// - `areSealed`: with a checksum behind the hashes, since the root that vouches for them is not known yet.
  mutating func insert(_ leaves: [ChunkLeaves], of number: Int64, areSealed: Bool = false) throws(DatabaseError) {
    for leaves in leaves {
      let bytes = bytes(leaves.hashes)
      try insertLeaves.run(
        .integer(RowNumber.leaves(of: leaves.chunk.rawValue, of: number)),
        .blob(areSealed ? LeavesSeal.sealed(bytes) : bytes))
    }
  }

  mutating func rename(_ file: KnownFile, to path: String, _ status: FileStatus) throws(DatabaseError) {
    let (changed, nanoseconds, mode) = changeValues(of: status, isYoung: file.isYoung)
    try renameFile.run(.text(path), changed, nanoseconds, mode, .integer(file.number))
  }

  /// Marks a file as gone from every path. Its hashes stay while a listing may name it.
  mutating func retire(_ number: Int64) throws(DatabaseError) {
    try retireFile.run(.integer(number))
    if try database.integer("SELECT count(*) FROM listing") == 0 { try remove(number) }
  }

  /// Marks the file of a path as gone. Returns false if no file of the path was known.
  @discardableResult mutating func retire(path: String) throws(DatabaseError) -> Bool {
    guard let number = try findPath.first(.text(path), body: { $0.integer(0) }) else { return false }
    try retire(try RowNumber.checked(number, in: database.path))
    return true
  }

  mutating func remove(_ number: Int64) throws(DatabaseError) {
    try removeFile.run(.integer(number))
    try removePages.run(
      .integer(RowNumber.page(0, of: number)), .integer(RowNumber.page(0, of: number + 1) - 1))
    try removeLeaves.run(
      .integer(RowNumber.leaves(of: 0, of: number)), .integer(RowNumber.leaves(of: 0, of: number + 1) - 1))
  }
}

/// The numbers as SQLite's signed integers, with the same bits.
func values(of status: FileStatus) -> (device: DatabaseValue, inode: DatabaseValue, size: DatabaseValue) {
  (
    .integer(Int64(bitPattern: status.identity.device)), .integer(Int64(bitPattern: status.identity.inode)),
    .integer(Int64(bitPattern: status.size))
  )
}

func values(of time: FileTime) -> (seconds: DatabaseValue, nanoseconds: DatabaseValue) {
  (.integer(time.seconds), .integer(time.nanoseconds))
}

/// The time of change and the mode. For a young file they match no file, so that the next start hashes it again.
private func changeValues(
  of status: FileStatus, isYoung: Bool
) -> (seconds: DatabaseValue, nanoseconds: DatabaseValue, mode: DatabaseValue) {
  let (seconds, nanoseconds) = values(of: status.changed)
  let none = DatabaseValue.integer(-1)
  return (seconds, isYoung ? none : nanoseconds, isYoung ? none : .integer(Int64(status.mode)))
}

private func bytes(_ digests: [Digest]) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(digests.count * Digest.byteCount)
  for digest in digests { digest.append(to: &bytes) }
  return bytes
}
