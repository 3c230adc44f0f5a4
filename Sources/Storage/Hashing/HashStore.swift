// What files hashed to, kept across runs: a file that is what it was is not hashed again. Never trusted blindly: chunk
// hashes are checked against the root, leaf hashes against their chunk's.
import Content
import Posix
import SQLite
import Synchronization

/// Why there is no place for the hashes of served files.
public enum HashStoreError: Error, Hashable, Sendable, CustomStringConvertible {
  case io(Errno)
  case database(DatabaseError)
  /// It is damaged or of another version, and another process uses it, so that it cannot be set aside.
  case inUse(path: String, why: String)

  public var description: String {
    switch self {
    case .io(let errno): "\(errno)"
    case .database(let error): "\(error)"
    case .inUse(let path, let why): "\(path): \(why), and another p2pnode is using it; end that one first"
    }
  }
}

/// A file whose hashes are known.
struct KnownFile: Hashable, Sendable {
  /// Of its row; never given to another file.
  let number: Int64
  let root: Digest
  /// It was changed shortly before it was hashed: its times do not tell whether it was changed again. See `YoungFiles`.
  var isYoung = false
}

/// What the database has of a file.
struct StoredRow: Sendable {
  let path: String
  let identity: FileIdentity
  /// Bytes.
  let size: UInt64
  let modified: FileTime
  let changed: FileTime
  /// Nil if it is unknown.
  let mode: UInt32?
  let known: KnownFile
}

/// The hashes of one served folder's files in an SQLite database, which several processes may use at a time. Thread-safe:
/// one connection writes, one reads, so that a reader that serves never waits for a writer that hashes.
final class HashStore: Sendable {
  /// Files that are written in one transaction: then the transaction costs little beside its rows.
  static let batchFiles = 256

  /// The database's file.
  let path: String
  /// What was wrong with the database that was here before, and where it is now.
  let warning: String?
  private let writing: Mutex<HashWriting>
  private let reading: Mutex<HashReading>
  /// Held by the first process that uses the database: it alone may clean it up or set it aside.
  private let lock: File

  /// Opens the database of a folder below `stateFolder`, which must exist, or makes it.
  init(of folder: ServedFolder, in stateFolder: String) throws(HashStoreError) {
    let opened = try HashStoreOpening(of: folder, in: stateFolder)
    path = opened.path
    warning = opened.warning
    do throws(DatabaseError) {
      var writing = try HashWriting(try HashStoreOpening.connect(opened.path))
      if opened.isFirst { try writing.removeUnfinished() }
      self.writing = Mutex(writing)
      reading = Mutex(try HashReading(try HashStoreOpening.connect(opened.path)))
    } catch {
      throw .database(error)
    }
    lock = opened.takeLock()
  }

  // MARK: Reading

  /// The hashes of a file if they are known and hold; nil where it has to be hashed. Those that do not hold are forgotten.
  func known(_ path: String, _ status: FileStatus) throws(DatabaseError) -> KnownFile? {
    let known = try reading.withLock { reading throws(DatabaseError) in try reading.known(path, status) }
    guard let known, try holds(known, length: status.size) else { return nil }
    return known
  }

  /// Whether the chunk hashes of a file lead to its root. If not, they are forgotten.
  func holds(_ known: KnownFile, length: UInt64) throws(DatabaseError) -> Bool {
    guard let layout = ChunkLayout(fileLength: length) else { return false }
    let pages = PageLayout(layout)
    let isHeld: Bool
    switch layout.chunkCount {
    case 0: isHeld = known.root == .zero
    // The chunk hashes to the root.
    case 1: isHeld = known.root != .zero
    default:
      isHeld = try reading.withLock { reading throws(DatabaseError) in
        for page in 0..<pages.pageCount {
          guard try reading.page(PageIndex(UInt32(page)), of: known, in: pages) != nil else { return false }
        }
        return true
      }
    }
    if !isHeld { try remove(known.number) }
    return isHeld
  }

  /// A page that the file has; nil where it is missing or not under the file's root.
  func page(_ index: PageIndex, of file: KnownFile, in pages: PageLayout) throws(DatabaseError) -> HashPage? {
    try reading.withLock { reading throws(DatabaseError) in try reading.page(index, of: file, in: pages) }
  }

  /// The leaf hashes of a chunk, unchecked; empty where they are missing.
  func leafHashes(of chunk: ChunkIndex, of file: KnownFile) throws(DatabaseError) -> [Digest] {
    try reading.withLock { reading throws(DatabaseError) in try reading.leafHashes(of: chunk, of: file) }
  }

  // MARK: Writing

  /// A number for a file that is too long to be written at once.
  func reserve(_ path: String) throws(DatabaseError) -> Int64 {
    try write { writing throws(DatabaseError) in try writing.reserve(path) }
  }

  /// Keeps leaf hashes of a file whose number is reserved.
  func write(_ leaves: [ChunkLeaves], of number: Int64) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in try writing.insert(leaves, of: number) }
  }

  /// Makes hashed files known in one transaction, each in the place of what its path was before. Gives a file for each;
  /// nil where another process has cleaned the reserved number away: then the file has to be hashed again.
  func finish(_ files: [FinishedHash]) throws(DatabaseError) -> [KnownFile?] {
    try write { writing throws(DatabaseError) in
      var known: [KnownFile?] = []
      known.reserveCapacity(files.count)
      for file in files { known.append(try writing.finish(file)) }
      return known
    }
  }

  /// A known file has another path, and with it another time of change.
  func rename(_ file: KnownFile, to path: String, _ status: FileStatus) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in
      try writing.retire(path: path)
      try writing.rename(file, to: path, status)
    }
  }

  /// A known file has another time of change, and perhaps another mode.
  func touch(_ file: KnownFile, at path: String, _ status: FileStatus) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in try writing.rename(file, to: path, status) }
  }

  /// Forgets a file, or the begin of one.
  func remove(_ number: Int64) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in try writing.remove(number) }
  }

  /// A file is gone. Its hashes stay while a listing names it.
  func retire(_ number: Int64) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in try writing.retire(number) }
  }

  /// The file of a path is gone. False: none was known.
  func retire(path: String) throws(DatabaseError) -> Bool {
    try write { writing throws(DatabaseError) in try writing.retire(path: path) }
  }

  /// Files are gone. Their hashes stay while a listing names them.
  func retire(_ numbers: [Int64]) throws(DatabaseError) {
    var rest = numbers[...]
    while !rest.isEmpty {
      let batch = rest.prefix(HashStore.batchFiles)
      try write { writing throws(DatabaseError) in for number in batch { try writing.retire(number) } }
      rest = rest.dropFirst(batch.count)
    }
  }

  /// Calls `body` with each file that a path has, in the order in which they were written. What the database has of a
  /// file's status is its identity, size, times and mode.
  func forEachFile(_ body: (StoredRow) -> Void) throws(DatabaseError) {
    try reading.withLock { reading throws(DatabaseError) in try reading.forEachFile(body) }
  }

  // MARK: Listings

  /// A file that is gone, by its bytes: only its hashes are here.
  func retired(_ content: FileContent) throws(DatabaseError) -> KnownFile? {
    try reading.withLock { reading throws(DatabaseError) in try reading.retired(content) }
  }

  /// All listings, the oldest first.
  func listings() throws(DatabaseError) -> [ServedListing] {
    try reading.withLock { reading throws(DatabaseError) in try reading.listings() }
  }

  /// The bytes of a listing, unchecked; empty if it is gone.
  /// - `count`: the bytes that are expected.
  func listingBytes(_ number: Int64, count: UInt64) throws(DatabaseError) -> [UInt8] {
    try reading.withLock { reading throws(DatabaseError) in try reading.listingBytes(number, count: count) }
  }

  /// Keeps a listing of a folder, and the latest ones before it.
  func keepListing(
    of folder: String, _ bytes: [UInt8], root: Digest, contentsLength: UInt64
  ) throws(DatabaseError) -> ServedListing {
    let number = try write { writing throws(DatabaseError) in
      try writing.insertListing(
        of: folder, bytes, root: root, contentsLength: contentsLength, keptCount: FolderListings.keptCount)
    }
    return ServedListing(
      number: number, folder: folder, root: root, length: UInt64(bytes.count), contentsLength: contentsLength)
  }

  func removeListing(_ number: Int64) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in try writing.removeListing(number) }
  }

  private func write<T: Sendable>(
    _ body: (inout HashWriting) throws(DatabaseError) -> T
  ) throws(DatabaseError) -> T {
    try writing.withLock { writing throws(DatabaseError) in
      try writing.database.begin()
      do throws(DatabaseError) {
        let result = try body(&writing)
        try writing.database.commit()
        return result
      } catch {
        writing.database.rollBack()
        // So that the next start sets it aside.
        if error.isDamage { try? writing.database.run("PRAGMA user_version = 0") }
        throw error
      }
    }
  }
}
