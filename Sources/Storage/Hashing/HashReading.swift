// The SQL statements that read from the hash store.
import Content
import Posix
import SQLite

/// The statements that read, with their connection.
struct HashReading: ~Copyable {
  private let database: Database
  private var find: Statement
  private var findPage: Statement
  private var findLeaves: Statement
  private var listFiles: Statement
  private var listUnfinished: Statement
  private var findRetired: Statement
  private var listListings: Statement
  private var listParts: Statement

  init(_ database: consuming Database) throws(DatabaseError) {
    // Prepares all statements first, because a noncopyable value must be initialised completely or not at all.
    let find = try database.prepare(findFile)
    let findRetired = try database.prepare(
      "SELECT number FROM file WHERE retired IS NOT NULL AND root = ? AND size = ?")
    let listListings = try database.prepare(
      "SELECT number, folder, root, size, contents_size FROM listing ORDER BY number")
    let listParts = try database.prepare("SELECT bytes FROM listing_part WHERE row BETWEEN ? AND ? ORDER BY row")
    let findPage = try database.prepare("SELECT hashes, uncles FROM page WHERE row = ?")
    let findLeaves = try database.prepare("SELECT hashes FROM leaves WHERE row = ?")
    let listFiles = try database.prepare(
      """
      SELECT number, path, device, inode, size, modified, modified_ns, changed, changed_ns, mode, root FROM file
      WHERE root IS NOT NULL AND retired IS NULL ORDER BY number
      """)
    let listUnfinished = try database.prepare(
      """
      SELECT number, path, device, inode, size, modified, modified_ns, changed, changed_ns FROM file
      WHERE root IS NULL ORDER BY number
      """)
    self.listUnfinished = listUnfinished
    self.find = find
    self.findRetired = findRetired
    self.listListings = listListings
    self.listParts = listParts
    self.findPage = findPage
    self.findLeaves = findLeaves
    self.listFiles = listFiles
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

  /// The leaf hashes of a chunk of a file that is not hashed to its end; nil if they are missing or damaged.
  mutating func sealedLeafHashes(of chunk: ChunkIndex, of number: Int64) throws(DatabaseError) -> [Digest]? {
    let row = RowNumber.leaves(of: chunk.rawValue, of: number)
    return try findLeaves.first(.integer(row)) { LeavesSeal.opened($0.blob(0)).map(digests) } ?? nil
  }

  /// The files that are not hashed to their end, the oldest first.
  mutating func unfinished() throws(DatabaseError) -> [UnfinishedHash] {
    var all: [UnfinishedHash] = []
    try listUnfinished.forEach { row throws(DatabaseError) in
      let number = try RowNumber.checked(row.integer(0), in: database.path)
      let identity = FileIdentity(device: UInt64(bitPattern: row.integer(2)), inode: UInt64(bitPattern: row.integer(3)))
      let status = FileStatus(
        regular: identity, size: UInt64(bitPattern: row.integer(4)),
        modified: FileTime(seconds: row.integer(5), nanoseconds: row.integer(6)),
        changed: FileTime(seconds: row.integer(7), nanoseconds: row.integer(8)), mode: 0, owner: 0, linkCount: 1)
      all.append(UnfinishedHash(number: number, path: row.text(1) ?? "", status: status))
    }
    return all
  }

  /// Finds a deleted file by its content.
  mutating func retired(_ content: FileContent) throws(DatabaseError) -> KnownFile? {
    let found = try findRetired.first(.blob(content.root.bytes), .integer(Int64(bitPattern: content.length))) {
      row throws(DatabaseError) in try RowNumber.checked(row.integer(0), in: database.path)
    }
    return found.map { KnownFile(number: $0, root: content.root) }
  }

  /// Returns all listings, the oldest first.
  mutating func listings() throws(DatabaseError) -> [ServedListing] {
    var all: [ServedListing] = []
    try listListings.forEach { row throws(DatabaseError) in
      guard let root = digest(row.blob(2)), let folder = row.text(1) else {
        throw .damaged(database.path, "a listing without a root")
      }
      all.append(
        ServedListing(
          number: row.integer(0), folder: folder, root: root, length: UInt64(bitPattern: row.integer(3)),
          contentsLength: UInt64(bitPattern: row.integer(4))))
    }
    return all
  }

  mutating func listingBytes(_ number: Int64, count: UInt64) throws(DatabaseError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(min(count, UInt64(FolderListing.byteCountMax))))
    let rows = RowNumber.parts(ofListing: number)
    try listParts.forEach(.integer(rows.lowerBound), .integer(rows.upperBound)) { bytes += $0.blob(0) }
    return bytes
  }

  mutating func forEachFile(_ body: (StoredRow) -> Void) throws(DatabaseError) {
    try listFiles.forEach { row throws(DatabaseError) in
      let number = try RowNumber.checked(row.integer(0), in: database.path)
      // A damaged root becomes zero, which matches no file.
      body(
        StoredRow(
          path: row.text(1) ?? "",
          identity: FileIdentity(
            device: UInt64(bitPattern: row.integer(2)), inode: UInt64(bitPattern: row.integer(3))),
          size: UInt64(bitPattern: row.integer(4)),
          modified: FileTime(seconds: row.integer(5), nanoseconds: row.integer(6)),
          changed: FileTime(seconds: row.integer(7), nanoseconds: row.integer(8)),
          mode: UInt32(exactly: row.integer(9)), known: KnownFile(number: number, root: digest(row.blob(10)) ?? .zero)))
    }
  }
}

/// Finds the file of a path if it has not changed since it was hashed. A changed time of change is accepted if the mode
/// differs too: then the change of mode caused it.
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
    return digest(row.blob(1)).map { KnownFile(number: number, root: $0) }
  }
  return found ?? nil
}

/// Returns the digest. Nil if the number of bytes is wrong.
func digest(_ bytes: [UInt8]) -> Digest? { bytes.count == Digest.byteCount ? Digest(bytes.span.bytes, at: 0) : nil }

/// Returns the digests. An incomplete digest at the end is left out, so a damaged row gives one too few.
private func digests(_ bytes: [UInt8]) -> [Digest] {
  let span = bytes.span.bytes
  return (0..<bytes.count / Digest.byteCount).map { Digest(span, at: $0 * Digest.byteCount) }
}
