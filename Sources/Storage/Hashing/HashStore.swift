// Keeps the hashes of files across runs, so that an unchanged file is not hashed again. They are checked when they are
// used: chunk hashes against the root, leaf hashes against their chunk's hash.
import Content
import Posix
import SQLite
import Synchronization

/// Why there is no place for the hashes of served files.
public enum HashStoreError: Error, Hashable, Sendable, CustomStringConvertible {
  case io(Errno)
  case database(DatabaseError)
  /// The database is damaged or of another version. It cannot be set aside because another process uses it.
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
  /// The number of its row in the database. It is never given to another file.
  let number: Int64
  let root: Digest
  /// Whether the file was changed shortly before it was hashed. Then its times do not show a further change. See
  /// `YoungFiles`.
  var isYoung = false
}

/// A file as the database describes it.
struct StoredRow: Sendable {
  let path: String
  let identity: FileIdentity
  /// Bytes.
  let size: UInt64
  let modified: FileTime
  let changed: FileTime
  /// Nil if the mode is unknown.
  let mode: UInt32?
  let known: KnownFile
}

/// A file that an earlier run began to hash.
struct UnfinishedHash: Sendable {
  let number: Int64
  let path: String
  /// What the file was then.
  let status: FileStatus
}

/// The hashes of one served folder's files in an SQLite database, which several processes may use at once. Thread-safe.
/// One connection writes and one reads, so that reading for peers never waits for writing new hashes.
final class HashStore: Sendable {
  /// The files written in one transaction. With so many, the transaction costs little beside its rows.
  static let batchFiles = 256

  /// The path of the database file.
  let path: String
  /// What was wrong with the database of an earlier run, and where it is now.
  let warning: String?
  private let writing: Mutex<HashWriting>
  private let reading: Mutex<HashReading>
  /// Files that earlier runs began to hash, by path. A job that continues one takes it out.
  private let unfinished: Mutex<[BytePath: UnfinishedHash]>
  /// The lock of the first process that uses the database. Only that process may clean it up or set it aside.
  private let lock: File

  /// Opens the database of a folder, or makes it. It lies below `stateFolder`, which must exist.
  init(of folder: ServedFolder, in stateFolder: String) throws(HashStoreError) {
    let opened = try HashStoreOpening(of: folder, in: stateFolder)
    let older: [UnfinishedHash]
    path = opened.path
    warning = opened.warning
    do throws(DatabaseError) {
      writing = Mutex(try HashWriting(try HashStoreOpening.connect(opened.path)))
      var reading = try HashReading(try HashStoreOpening.connect(opened.path))
      // Another process may still be hashing what it began.
      let begun = opened.isFirst ? try reading.unfinished() : []
      self.reading = Mutex(reading)
      let newest = Dictionary(begun.map { (BytePath($0.path), $0) }, uniquingKeysWith: { $1 })
      unfinished = Mutex(newest)
      older = begun.filter { newest[BytePath($0.path)]?.number != $0.number }
    } catch {
      throw .database(error)
    }
    lock = opened.takeLock()
    do throws(DatabaseError) { for begun in older { try remove(begun.number) } } catch { throw .database(error) }
  }

  // MARK: Interrupted hashing

  /// Returns the number under which an earlier run kept leaf hashes of a file, if the file has not changed since. The
  /// caller continues with them. Nil if there is none. Leaf hashes of an older file at the path are removed.
  func takeUnfinished(_ path: String, _ status: FileStatus) throws(DatabaseError) -> Int64? {
    guard let begun = unfinished.withLock({ $0.removeValue(forKey: BytePath(path)) }) else { return nil }
    if begun.status.sameContent(as: status) { return begun.number }
    try remove(begun.number)
    return nil
  }

  /// Removes what earlier runs began and this one did not continue. Called when all files are hashed.
  /// - `isKept`: whether a later run may hash a path.
  func removeUnfinished(but isKept: (String) -> Bool) throws(DatabaseError) {
    let rest = unfinished.withLock { unfinished in
      let rest = unfinished.values.filter { !isKept($0.path) }
      for begun in rest { unfinished[BytePath(begun.path)] = nil }
      return rest
    }
    for begun in rest { try remove(begun.number) }
  }

  /// Returns the leaf hashes that an earlier run kept of a chunk. Nil if they are missing or damaged.
  func sealedLeafHashes(of chunk: ChunkIndex, of number: Int64) throws(DatabaseError) -> [Digest]? {
    try reading.withLock { reading throws(DatabaseError) in try reading.sealedLeafHashes(of: chunk, of: number) }
  }

  // MARK: Reading

  /// Returns the hashes of a file if they are known and complete. Nil if the file must be hashed. Damaged hashes are
  /// removed.
  func known(_ path: String, _ status: FileStatus) throws(DatabaseError) -> KnownFile? {
    let known = try reading.withLock { reading throws(DatabaseError) in try reading.known(path, status) }
    guard let known, try holds(known, length: status.size) else { return nil }
    return known
  }

  /// Whether the chunk hashes of a file match its root. If not, they are removed.
  func holds(_ known: KnownFile, length: UInt64) throws(DatabaseError) -> Bool {
    guard let layout = ChunkLayout(fileLength: length) else { return false }
    let pages = PageLayout(layout)
    let isHeld: Bool
    switch layout.chunkCount {
    case 0: isHeld = known.root == .zero
    // The chunk's hash is the root.
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

  /// Returns a page of a file. Nil if it is missing or does not match the file's root.
  func page(_ index: PageIndex, of file: KnownFile, in pages: PageLayout) throws(DatabaseError) -> HashPage? {
    try reading.withLock { reading throws(DatabaseError) in try reading.page(index, of: file, in: pages) }
  }

  /// Returns the leaf hashes of a chunk, unchecked. Empty if they are missing.
  func leafHashes(of chunk: ChunkIndex, of file: KnownFile) throws(DatabaseError) -> [Digest] {
    try reading.withLock { reading throws(DatabaseError) in try reading.leafHashes(of: chunk, of: file) }
  }

  // MARK: Writing

  /// Reserves a number for a file whose leaf hashes are written in several batches.
  /// - `status`: the status of the file. Nil if the file is young, so that its times do not show a change.
  func reserve(_ path: String, _ status: FileStatus? = nil) throws(DatabaseError) -> Int64 {
    try write { writing throws(DatabaseError) in try writing.reserve(path, status) }
  }

  /// Writes leaf hashes of a file whose number is reserved.
  func write(_ leaves: [ChunkLeaves], of number: Int64) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in try writing.insert(leaves, of: number, areSealed: true) }
  }

  /// Writes hashed files in one transaction. Each replaces the file that its path had before. Returns a `KnownFile` for
  /// each, or nil if another process has removed the reserved number: then the file must be hashed again.
  func finish(_ files: [FinishedHash]) throws(DatabaseError) -> [KnownFile?] {
    try write { writing throws(DatabaseError) in
      var known: [KnownFile?] = []
      known.reserveCapacity(files.count)
      for file in files { known.append(try writing.finish(file)) }
      return known
    }
  }

  /// Gives a known file another path and, with it, another time of change.
  func rename(_ file: KnownFile, to path: String, _ status: FileStatus) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in
      try writing.retire(path: path)
      try writing.rename(file, to: path, status)
    }
  }

  /// Gives a known file another time of change, and perhaps another mode.
  func touch(_ file: KnownFile, at path: String, _ status: FileStatus) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in try writing.rename(file, to: path, status) }
  }

  /// Removes a file, or the part of one that is written so far.
  func remove(_ number: Int64) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in try writing.remove(number) }
  }

  /// Marks a file as gone. Its hashes stay while a listing names it.
  func retire(_ number: Int64) throws(DatabaseError) {
    try write { writing throws(DatabaseError) in try writing.retire(number) }
  }

  /// Marks the file of a path as gone. Returns false if no file of the path was known.
  func retire(path: String) throws(DatabaseError) -> Bool {
    try write { writing throws(DatabaseError) in try writing.retire(path: path) }
  }

  /// Marks files as gone. Their hashes stay while a listing names them.
  func retire(_ numbers: [Int64]) throws(DatabaseError) {
    var rest = numbers[...]
    while !rest.isEmpty {
      let batch = rest.prefix(HashStore.batchFiles)
      try write { writing throws(DatabaseError) in for number in batch { try writing.retire(number) } }
      rest = rest.dropFirst(batch.count)
    }
  }

  /// Calls `body` with each file that has a path, in the order in which they were written. The database knows identity,
  /// size, times and mode of a file's status.
  func forEachFile(_ body: (StoredRow) -> Void) throws(DatabaseError) {
    try reading.withLock { reading throws(DatabaseError) in try reading.forEachFile(body) }
  }

  // MARK: Listings

  /// Finds a deleted file by its content. Only its hashes are known.
  func retired(_ content: FileContent) throws(DatabaseError) -> KnownFile? {
    try reading.withLock { reading throws(DatabaseError) in try reading.retired(content) }
  }

  /// Returns all listings, the oldest first.
  func listings() throws(DatabaseError) -> [ServedListing] {
    try reading.withLock { reading throws(DatabaseError) in try reading.listings() }
  }

  /// Returns the bytes of a listing, unchecked. Empty if the listing is gone.
  /// - `count`: the expected number of bytes.
  func listingBytes(_ number: Int64, count: UInt64) throws(DatabaseError) -> [UInt8] {
    try reading.withLock { reading throws(DatabaseError) in try reading.listingBytes(number, count: count) }
  }

  /// Writes a listing of a folder. The folder's latest listings before it are kept.
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
        // Makes the next start set the database aside.
        if error.isDamage { try? writing.database.run("PRAGMA user_version = 0") }
        throw error
      }
    }
  }
}
