// The statements with which the hash store writes files. A file has a row, one for each page of chunk hashes, and one for
// the leaf hashes of each chunk. A file of one chunk has no page, and a file of one leaf no leaf hashes: both repeat the
// root.
import Content
import Posix
import SQLite

/// The leaf hashes of a chunk, on their way into the store.
struct ChunkLeaves: Sendable {
  let chunk: ChunkIndex
  let hashes: [Digest]
}

/// Rows of pages and leaves are numbered by their file and their place in it: both fit the protocol's longest file.
enum RowNumber {
  /// The numbers that a file may have. With a larger one, the row numbers of this file or of the next would overflow.
  static let files: ClosedRange<Int64> = 1...(Int64.max >> 22) - 1

  /// The number of a file that the database gave. Throws if no file can have it: the database is damaged then.
  static func checked(_ number: Int64, in path: String) throws(DatabaseError) -> Int64 {
    guard files.contains(number) else { throw .damaged(path, "\(number) is not the number of a file") }
    return number
  }

  /// Parts of a listing: 1 MiB each, so 2^10 at most.
  static func parts(ofListing number: Int64) -> ClosedRange<Int64> { number << 10...number << 10 | 1_023 }

  static func page(_ page: UInt32, of file: Int64) -> Int64 { file << 12 | Int64(page) }
  static func leaves(of chunk: UInt32, of file: Int64) -> Int64 { file << 22 | Int64(chunk) }
}

/// The statements that write, and their connection. The caller begins a transaction before it calls one.
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
  private var listUnfinished: Statement

  init(_ database: consuming Database) throws(DatabaseError) {
    // All of them first: a value that cannot be copied is made wholly or not at all.
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
    let insertLeaves = try database.prepare("INSERT INTO leaves (row, hashes) VALUES (?, ?)")
    let listUnfinished = try database.prepare("SELECT number FROM file WHERE root IS NULL")
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
    self.listUnfinished = listUnfinished
    self.database = database
  }

  /// Makes a hashed file known. Nil if its reserved number is gone.
  mutating func finish(_ file: FinishedHash) throws(DatabaseError) -> KnownFile? {
    if let old = try findPath.first(.text(file.path), body: { ($0.integer(0), $0.blob(1), $0.integer(2)) }) {
      let number = try RowNumber.checked(old.0, in: database.path)
      if digest(old.1) == file.tree.root, UInt64(bitPattern: old.2) == file.status.size {
        // It has the bytes that it had, or another process was faster, and what that wrote may be in use.
        try update(number, file.status, isYoung: file.isYoung)
        if let reserved = file.reserved { try remove(reserved) }
        return KnownFile(number: number, root: file.tree.root, isYoung: file.isYoung)
      }
      try retire(number)
    }
    guard let number = try insert(file) else { return nil }
    try insert(file.leaves, of: number)
    return KnownFile(number: number, root: file.tree.root, isYoung: file.isYoung)
  }

  /// A file has its bytes and another status.
  private mutating func update(_ number: Int64, _ status: FileStatus, isYoung: Bool) throws(DatabaseError) {
    let (device, inode, _) = values(of: status)
    let (modified, modifiedNanoseconds) = values(of: status.modified)
    let (changed, changedNanoseconds, mode) = changeValues(of: status, isYoung: isYoung)
    try updateFile.run(
      device, inode, modified, modifiedNanoseconds, changed, changedNanoseconds, mode, .integer(number))
  }

  mutating func reserve(_ path: String) throws(DatabaseError) -> Int64 {
    let none = DatabaseValue.integer(0)
    try insertFile.run(.text(path), none, none, none, none, none, none, none, none, .null)
    return try RowNumber.checked(database.lastRowID, in: database.path)
  }

  /// Inserts a file with its pages, or completes the reserved one. Nil where that is gone.
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
    // The chunk of a file of one chunk hashes to the root.
    for index in 0..<(tree.chunkHashes.count > 1 ? tree.pages.pageCount : 0) {
      guard let page = tree.page(PageIndex(UInt32(index))) else { preconditionFailure("the tree has its pages") }
      try insertPage.run(
        .integer(RowNumber.page(UInt32(index), of: number)), .blob(bytes(page.chunkHashes)), .blob(bytes(page.uncles)))
    }
    return number
  }

  mutating func insert(_ leaves: [ChunkLeaves], of number: Int64) throws(DatabaseError) {
    for leaves in leaves {
      try insertLeaves.run(
        .integer(RowNumber.leaves(of: leaves.chunk.rawValue, of: number)), .blob(bytes(leaves.hashes)))
    }
  }

  mutating func rename(_ file: KnownFile, to path: String, _ status: FileStatus) throws(DatabaseError) {
    let (changed, nanoseconds, mode) = changeValues(of: status, isYoung: file.isYoung)
    try renameFile.run(.text(path), changed, nanoseconds, mode, .integer(file.number))
  }

  /// No path has the file any more. Its hashes stay while a listing may name it.
  mutating func retire(_ number: Int64) throws(DatabaseError) {
    try retireFile.run(.integer(number))
    if try database.integer("SELECT count(*) FROM listing") == 0 { try remove(number) }
  }

  /// False: no file of the path was known.
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

  /// Removes what processes that were killed had begun. A transaction of its own.
  mutating func removeUnfinished() throws(DatabaseError) {
    try database.begin()
    var numbers: [Int64] = []
    do throws(DatabaseError) {
      try listUnfinished.forEach { row throws(DatabaseError) in
        numbers.append(try RowNumber.checked(row.integer(0), in: database.path))
      }
      for number in numbers { try remove(number) }
      try database.commit()
    } catch {
      database.rollBack()
      throw error
    }
  }
}

/// SQLite's integers are signed: the bits are the same.
func values(of status: FileStatus) -> (device: DatabaseValue, inode: DatabaseValue, size: DatabaseValue) {
  (
    .integer(Int64(bitPattern: status.identity.device)), .integer(Int64(bitPattern: status.identity.inode)),
    .integer(Int64(bitPattern: status.size))
  )
}

func values(of time: FileTime) -> (seconds: DatabaseValue, nanoseconds: DatabaseValue) {
  (.integer(time.seconds), .integer(time.nanoseconds))
}

/// The time of change and the mode. Those of a young file match no file, so that the next start hashes it again.
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
