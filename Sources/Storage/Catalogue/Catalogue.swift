// The served files, their hashes, and their status when they were hashed. Memory holds a few bytes a file; chunk and
// leaf hashes stay in the database, so memory does not grow with the bytes served.
import Content
import Posix
import SQLite
import Synchronization

/// A served file and its status when it was hashed. A catalogue makes the value on demand. Two entries are equal if
/// path, status and hashes are equal.
public struct CatalogueEntry: Hashable, Sendable, CustomStringConvertible {
  /// Relative to the served folder.
  public let path: String
  /// Identity, size and times. A file with another status no longer matches this entry.
  public let status: FileStatus
  let hashes: KnownFile

  init(path: String, status: FileStatus, hashes: KnownFile) {
    self.path = path
    self.status = status
    self.hashes = hashes
  }

  /// Computed at each call, because reading a file needs no ID.
  public var fileID: FileID { FileID(kind: .file, length: status.size, root: hashes.root) }

  public var layout: ChunkLayout {
    guard let layout = ChunkLayout(fileLength: status.size) else { preconditionFailure("it was hashed") }
    return layout
  }
  public var root: Digest { hashes.root }
  public var content: FileContent { FileContent(length: status.size, root: hashes.root) }
  /// How its chunk hashes are cut into pages.
  public var pages: PageLayout { PageLayout(layout) }
  /// Bytes.
  public var length: UInt64 { status.size }
  /// The last component of the path: what a downloader may call the file.
  public var name: String { PathParts(path).name }
  public var description: String { "\(path) (\(fileID.hex))" }

  public static func == (a: CatalogueEntry, b: CatalogueEntry) -> Bool {
    a.hashes == b.hashes && a.status == b.status && a.path.utf8.elementsEqual(b.path.utf8)
  }
  public func hash(into hasher: inout Hasher) { hasher.combine(hashes.number) }
}

/// The served files of one folder. Thread-safe; reads of one file run side by side.
///
/// Two paths with the same bytes are two entries. One of them serves the fileID; if it is withdrawn, the other serves
/// it.
public final class Catalogue: Sendable {
  public let folder: ServedFolder
  let store: HashStore
  let pageCache = PageCache()
  let bucketOf: @Sendable (FileID) -> UInt16
  private let files: OpenFiles
  let parents: ParentFolders
  let young: YoungFiles
  /// The listings of the folder and of its subfolders.
  public let listings: FolderListings
  /// The descriptors that a catalogue keeps open for served files.
  public static var openFilesMax: Int { OpenFiles.countMax + ParentFolders.countMax }

  let table = Mutex(CatalogueTable())

  /// For people to read: what was wrong with the database of an earlier run. Nil if nothing was wrong.
  public var warning: String? { store.warning }

  /// Makes an empty catalogue. The hashes go to a database in `stateFolder`, which must exist; they take 0.2 % of the
  /// data's size. `bucketOf` gives the key under which `candidates` finds a file.
  /// - `now`: the time on the file system's clock.
  public init(
    folder: ServedFolder, stateFolder: String, now: @escaping @Sendable () -> FileTime = { Clock.fileTime },
    bucketOf: @escaping @Sendable (FileID) -> UInt16
  ) throws(HashStoreError) {
    self.folder = folder
    self.bucketOf = bucketOf
    store = try HashStore(of: folder, in: stateFolder)
    files = OpenFiles(folder)
    parents = ParentFolders(folder)
    young = YoungFiles(now: now)
    listings = FolderListings(store, of: folder, bucketOf: bucketOf)
  }

  /// All entries in the order of their paths, also those with equal contents.
  public var entries: [CatalogueEntry] {
    table.withLock { $0.entries() }.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  /// The number of served paths and their bytes. Files with equal contents count separately.
  public var served: (files: Int, bytes: UInt64) { table.withLock { ($0.count, $0.bytes) } }

  /// The entries below a folder, in no order; "" is the served folder.
  func entries(below folder: String) -> [CatalogueEntry] {
    table.withLock { $0.entries(below: folder) }
  }

  /// The entry that serves a fileID.
  public func entry(_ fileID: FileID) -> CatalogueEntry? {
    candidates(bucket: bucketOf(fileID)).first { $0.fileID == fileID }
  }

  /// The entry that serves a content.
  public func entry(of content: FileContent) -> CatalogueEntry? { table.withLock { $0.entry(of: content) } }

  /// Whether an entry has these bytes.
  public func has(_ content: FileContent) -> Bool { table.withLock { $0.has(content) } }

  /// The content of the file at a path. Nil if its status shows that the bytes may have changed.
  func content(at path: String, _ status: FileStatus) -> FileContent? {
    table.withLock { $0.content(at: path, status) }
  }

  /// The content of the file at a path, and whether its owner may execute it, as the latest scan found them.
  func latest(at path: String) -> (FileContent, isExecutable: Bool)? { table.withLock { $0.latest(at: path) } }

  /// Marks all entries as not yet seen. A scan of the folder begins.
  func beginSweep() { table.withLock { $0.beginSweep() } }
  /// Records that the scan found a file. Returns whether it is the file that is served.
  func sees(_ path: String, _ status: FileStatus) -> Bool { table.withLock { $0.see(path, status) } }
  /// The paths of the entries that the scan has not found.
  var unseenPaths: [String] { table.withLock { $0.unseen } }

  /// The entries that serve a fileID of this bucket, one for each fileID.
  public func candidates(bucket: UInt16) -> [CatalogueEntry] {
    table.withLock { $0.candidates(bucket: bucket) }
  }

  /// Records that the file at a path is gone. Its hashes stay in the database, without a path, while a listing names
  /// them.
  func retire(_ path: String) throws(DatabaseError) {
    if try store.retire(path: path) { table.withLock { $0.noteChange() } }
  }

  /// Grows when a content is added or removed, and when only its hashes are left.
  public var changeCount: UInt64 { table.withLock { $0.changeCount } }

  /// Adds an entry. It replaces an older one of the same path.
  func add(_ entry: CatalogueEntry) {
    guard let old = table.withLock({ $0.add(entry, bucketOf: bucketOf) }) else { return }
    files.close(old)
    if old.hashes.number != entry.hashes.number { young.forget(old) }
  }

  /// The entry of a path.
  public func entry(at path: String) -> CatalogueEntry? { table.withLock { $0.entry(at: path) } }

  /// Removes an entry whose file is gone or is no longer what was hashed. Returns false if the entry was already
  /// removed.
  @discardableResult public func withdraw(_ entry: CatalogueEntry) -> Bool {
    let bucket = bucketOf(entry.fileID)
    files.close(entry)
    young.forget(entry)
    return table.withLock { $0.remove(entry, bucket: bucket) }
  }

  /// Removes all entries.
  public func withdrawAll() {
    table.withLock { $0.removeAll() }
    files.closeAll()
  }

  /// Gives an entry the new path that its file has in the file system, without hashing again. Returns the entry that
  /// serves the file from now on. An entry that had the new path must be withdrawn first.
  func rename(_ entry: CatalogueEntry, to path: String, _ status: FileStatus) throws(DatabaseError) -> CatalogueEntry {
    try store.rename(entry.hashes, to: path, status)
    let renamed = CatalogueEntry(path: path, status: status, hashes: entry.hashes)
    add(renamed)  // first, so that the fileID is served all the time
    withdraw(entry)
    return renamed
  }

  /// Returns the open file of an entry. All readers share it, and it stays open for the next read.
  public func open(_ entry: CatalogueEntry) throws(StoredFileError) -> StoredFile { try files.open(entry) }

  /// Gives an entry its file's new attributes; the bytes are the same. Returns the entry that serves the file from now
  /// on.
  func touch(_ entry: CatalogueEntry, _ status: FileStatus) throws(DatabaseError) -> CatalogueEntry {
    try store.touch(entry.hashes, at: entry.path, status)
    let touched = CatalogueEntry(path: entry.path, status: status, hashes: entry.hashes)
    add(touched)
    return touched
  }
}
