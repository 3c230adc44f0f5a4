// The statements of the hash store: all of its SQL but the tables' own definition. One row a file, one a page of chunk
// hashes, one a chunk's leaf hashes.
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

/// The statements that read, and their connection.
struct HashReading: ~Copyable {
  private let database: Database
  private var find: Statement
  private var findPage: Statement
  private var findLeaves: Statement
  private var listPaths: Statement
  private var findRetired: Statement
  private var listListings: Statement
  private var listParts: Statement

  init(_ database: consuming Database) throws(DatabaseError) {
    // All of them first: a value that cannot be copied is made wholly or not at all.
    let find = try database.prepare(findFile)
    let findRetired = try database.prepare(
      "SELECT number FROM file WHERE retired IS NOT NULL AND root = ? AND size = ?")
    let listListings = try database.prepare(
      "SELECT number, folder, root, size, contents_size FROM listing ORDER BY number")
    let listParts = try database.prepare("SELECT bytes FROM listing_part WHERE row BETWEEN ? AND ? ORDER BY row")
    let findPage = try database.prepare("SELECT hashes, uncles FROM page WHERE row = ?")
    let findLeaves = try database.prepare("SELECT hashes FROM leaves WHERE row = ?")
    let listPaths = try database.prepare("SELECT number, path FROM file WHERE root IS NOT NULL AND retired IS NULL")
    self.find = find
    self.findRetired = findRetired
    self.listListings = listListings
    self.listParts = listParts
    self.findPage = findPage
    self.findLeaves = findLeaves
    self.listPaths = listPaths
    self.database = database
  }

  mutating func known(_ path: String, _ status: FileStatus) throws(DatabaseError) -> KnownFile? {
    try findKnown(&find, path, status, in: database.path)
  }

  mutating func page(_ index: PageIndex, of file: KnownFile, in pages: PageLayout) throws(DatabaseError) -> HashPage? {
    let row = RowNumber.page(index.rawValue, of: file.number)
    let page = try findPage.first(.integer(row)) { row in
      HashPage(index: index, chunkHashes: digests(row.blob(0)), uncles: digests(row.blob(1)))
    }
    guard let page else { return nil }
    do throws(HashPageFault) { try page.verify(against: file.root, in: pages) } catch { return nil }
    return page
  }

  mutating func leafHashes(of chunk: ChunkIndex, of file: KnownFile) throws(DatabaseError) -> [Digest] {
    let row = RowNumber.leaves(of: chunk.rawValue, of: file.number)
    return try findLeaves.first(.integer(row)) { digests($0.blob(0)) } ?? []
  }

  /// A file that is gone, by its bytes.
  mutating func retired(_ content: FileContent) throws(DatabaseError) -> KnownFile? {
    let found = try findRetired.first(.blob(content.root.bytes), .integer(Int64(bitPattern: content.length))) {
      row throws(DatabaseError) in try RowNumber.checked(row.integer(0), in: database.path)
    }
    return found.map { KnownFile(number: $0, root: content.root) }
  }

  /// All listings, the oldest first.
  mutating func listings() throws(DatabaseError) -> [ServedListing] {
    var all: [ServedListing] = []
    try listListings.forEach { row throws(DatabaseError) in
      guard let root = Digest(row.blob(2)), let folder = row.text(1) else {
        throw .damaged(database.path, "a listing without a root")
      }
      all.append(
        ServedListing(
          number: row.integer(0), folder: folder, root: root, length: UInt64(bitPattern: row.integer(3)),
          contentsLength: UInt64(bitPattern: row.integer(4))))
    }
    return all
  }

  mutating func listingBytes(_ number: Int64) throws(DatabaseError) -> [UInt8] {
    var bytes: [UInt8] = []
    let rows = RowNumber.parts(ofListing: number)
    try listParts.forEach(.integer(rows.lowerBound), .integer(rows.upperBound)) { bytes += $0.blob(0) }
    return bytes
  }

  mutating func paths() throws(DatabaseError) -> [(number: Int64, path: String)] {
    var all: [(Int64, String)] = []
    try listPaths.forEach { row throws(DatabaseError) in
      all.append((try RowNumber.checked(row.integer(0), in: database.path), row.text(1) ?? ""))
    }
    return all
  }
}

/// The statements that write, and their connection. The caller begins a transaction before it calls one.
struct HashWriting: ~Copyable {
  let database: Database
  private var find: Statement
  private var insertFile: Statement
  private var finishFile: Statement
  private var renameFile: Statement
  private var findPath: Statement
  private var retireFile: Statement
  private var removeFile: Statement
  private var removePages: Statement
  private var removeLeaves: Statement
  private var insertPage: Statement
  private var insertLeaves: Statement
  private var listUnfinished: Statement

  init(_ database: consuming Database) throws(DatabaseError) {
    // All of them first: a value that cannot be copied is made wholly or not at all.
    let find = try database.prepare(findFile)
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
      "SELECT number FROM file WHERE path = ? AND root IS NOT NULL AND retired IS NULL")
    let retireFile = try database.prepare(
      "UPDATE file SET retired = (SELECT max(number) FROM listing) WHERE number = ?")
    let removeFile = try database.prepare("DELETE FROM file WHERE number = ?")
    let removePages = try database.prepare("DELETE FROM page WHERE row BETWEEN ? AND ?")
    let removeLeaves = try database.prepare("DELETE FROM leaves WHERE row BETWEEN ? AND ?")
    let insertPage = try database.prepare("INSERT INTO page (row, hashes, uncles) VALUES (?, ?, ?)")
    let insertLeaves = try database.prepare("INSERT INTO leaves (row, hashes) VALUES (?, ?)")
    let listUnfinished = try database.prepare("SELECT number FROM file WHERE root IS NULL")
    self.find = find
    self.insertFile = insertFile
    self.finishFile = finishFile
    self.renameFile = renameFile
    self.findPath = findPath
    self.retireFile = retireFile
    self.removeFile = removeFile
    self.removePages = removePages
    self.removeLeaves = removeLeaves
    self.insertPage = insertPage
    self.insertLeaves = insertLeaves
    self.listUnfinished = listUnfinished
    self.database = database
  }

  mutating func known(_ path: String, _ status: FileStatus) throws(DatabaseError) -> KnownFile? {
    try findKnown(&find, path, status, in: database.path)
  }

  mutating func reserve(_ path: String) throws(DatabaseError) -> Int64 {
    let none = DatabaseValue.integer(0)
    try insertFile.run(.text(path), none, none, none, none, none, none, none, none, .null)
    return try RowNumber.checked(database.lastRowID, in: database.path)
  }

  /// Inserts a file with its pages, or completes the reserved one. Nil where that is gone.
  mutating func insert(
    _ path: String, _ status: FileStatus, _ tree: HashTree, reserved: Int64?
  ) throws(DatabaseError) -> Int64? {
    let number: Int64
    let root = DatabaseValue.blob(tree.root.bytes)
    let (device, inode, size) = values(of: status)
    let (modified, modifiedNanoseconds) = values(of: status.modified)
    let (changed, changedNanoseconds) = values(of: status.changed)
    let mode = DatabaseValue.integer(Int64(status.mode))
    if let reserved {
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
    for index in 0..<tree.pages.pageCount {
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

  mutating func rename(_ number: Int64, to path: String, _ status: FileStatus) throws(DatabaseError) {
    let (changed, nanoseconds) = values(of: status.changed)
    try renameFile.run(.text(path), changed, nanoseconds, .integer(Int64(status.mode)), .integer(number))
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

/// The file of a path, if it is still what it was when it was hashed. If its mode is another, that was the change.
private let findFile: StaticString = """
  SELECT number, root FROM file WHERE path = ? AND root IS NOT NULL AND retired IS NULL AND device = ? AND inode = ?
  AND size = ? AND modified = ? AND modified_ns = ? AND ((changed = ? AND changed_ns = ?) OR (mode != ? AND mode >= 0))
  """

private func findKnown(
  _ find: inout Statement, _ path: String, _ status: FileStatus, in database: String
) throws(DatabaseError) -> KnownFile? {
  let (device, inode, size) = values(of: status)
  let (modified, modifiedNanoseconds) = values(of: status.modified)
  let (changed, changedNanoseconds) = values(of: status.changed)
  let found = try find.first(
    .text(path), device, inode, size, modified, modifiedNanoseconds, changed, changedNanoseconds,
    .integer(Int64(status.mode))
  ) { row throws(DatabaseError) in
    let number = try RowNumber.checked(row.integer(0), in: database)
    return Digest(row.blob(1)).map { KnownFile(number: number, root: $0) }
  }
  return found ?? nil
}

/// SQLite's integers are signed: the bits are the same.
private func values(of status: FileStatus) -> (device: DatabaseValue, inode: DatabaseValue, size: DatabaseValue) {
  (
    .integer(Int64(bitPattern: status.identity.device)), .integer(Int64(bitPattern: status.identity.inode)),
    .integer(Int64(bitPattern: status.size))
  )
}

private func values(of time: FileTime) -> (seconds: DatabaseValue, nanoseconds: DatabaseValue) {
  (.integer(time.seconds), .integer(time.nanoseconds))
}

private func bytes(_ digests: [Digest]) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(digests.count * Digest.byteCount)
  for digest in digests { digest.append(to: &bytes) }
  return bytes
}

/// What is no whole digest at the end is left out: there is one too few then.
private func digests(_ bytes: [UInt8]) -> [Digest] {
  let span = bytes.span.bytes
  return (0..<bytes.count / Digest.byteCount).map { Digest(span, at: $0 * Digest.byteCount) }
}
