// What is served: which files, what they hash to, and what they were when they were hashed. In memory is a little for
// each file; chunk and leaf hashes stay in the database, so that memory does not grow with the bytes served.
import Content
import Posix
import SQLite
import Synchronization

/// A served file: what it was when it was hashed. A catalogue makes the value on demand. Two entries are equal if path,
/// status and hashes are.
public struct CatalogueEntry: Hashable, Sendable, CustomStringConvertible {
  /// Relative to the served folder.
  public let path: String
  /// Identity, size and times; a file that no longer has them is no longer this entry.
  public let status: FileStatus
  let hashes: KnownFile

  init(path: String, status: FileStatus, hashes: KnownFile) {
    self.path = path
    self.status = status
    self.hashes = hashes
  }

  /// Hashed at each call: to read a file takes no ID.
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
/// Two paths with the same bytes are two entries; one of them serves the fileID, the other steps in when it is withdrawn.
public final class Catalogue: Sendable {
  public let folder: ServedFolder
  let store: HashStore
  let pageCache = PageCache()
  let bucketOf: @Sendable (FileID) -> UInt16
  private let files: OpenFiles
  let parents: ParentFolders
  let young: YoungFiles
  /// The listings of its folders.
  public let listings: FolderListings
  /// Descriptors that a catalogue keeps for served files.
  public static var openFilesMax: Int { OpenFiles.countMax + ParentFolders.countMax }

  let table = Mutex(CatalogueTable())

  /// What was wrong with the database that was here before, for people to read; nil where nothing was.
  public var warning: String? { store.warning }

  /// An empty catalogue. Hashes go to a database in `stateFolder`, which must exist: 0.2 % of the data. `bucketOf` is the
  /// key under which `candidates` finds a file.
  /// - `now`: the time as the file system has it.
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

  /// All entries, also those of equal contents, in the order of their paths.
  public var entries: [CatalogueEntry] {
    table.withLock { $0.entries() }.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  /// How many paths are served, and their bytes: those of equal contents count each.
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

  /// The content of the file at a path, if it has its bytes still.
  func content(at path: String, _ status: FileStatus) -> FileContent? {
    table.withLock { $0.content(at: path, status) }
  }

  /// The content of the file at a path, and whether its owner may execute it, as of the latest look at it.
  func latest(at path: String) -> (FileContent, isExecutable: Bool)? { table.withLock { $0.latest(at: path) } }

  /// A look through the folder begins.
  func beginSweep() { table.withLock { $0.beginSweep() } }
  /// A file was found at a path. True if it is the one that is served.
  func sees(_ path: String, _ status: FileStatus) -> Bool { table.withLock { $0.see(path, status) } }
  /// The paths of the entries that were not found since the look began.
  var unseenPaths: [String] { table.withLock { $0.unseen } }

  /// The entries that serve a fileID of this bucket, one a fileID.
  public func candidates(bucket: UInt16) -> [CatalogueEntry] {
    table.withLock { $0.candidates(bucket: bucket) }
  }

  /// The file of a path is gone: its hashes stay as those of no path, while a listing names them.
  func retire(_ path: String) throws(DatabaseError) {
    if try store.retire(path: path) { table.withLock { $0.noteChange() } }
  }

  /// Grows whenever a content comes or goes, and when only its hashes are left.
  public var changeCount: UInt64 { table.withLock { $0.changeCount } }

  /// Adds an entry, in the place of an older one of the same path.
  func add(_ entry: CatalogueEntry) {
    guard let old = table.withLock({ $0.add(entry, bucketOf: bucketOf) }) else { return }
    files.close(old)
    if old.hashes.number != entry.hashes.number { young.forget(old) }
  }

  /// The entry of a path.
  public func entry(at path: String) -> CatalogueEntry? { table.withLock { $0.entry(at: path) } }

  /// Takes an entry out: its file is not what was hashed, or is gone. False where that was done before.
  @discardableResult public func withdraw(_ entry: CatalogueEntry) -> Bool {
    let bucket = bucketOf(entry.fileID)
    files.close(entry)
    young.forget(entry)
    return table.withLock { $0.remove(entry, bucket: bucket) }
  }

  /// Takes all entries out.
  public func withdrawAll() {
    table.withLock { $0.removeAll() }
    files.closeAll()
  }

  /// Gives an entry's file another path, as the file system did, without hashing it: the entry that serves it from now
  /// on. An entry that had the path must be withdrawn first.
  func rename(_ entry: CatalogueEntry, to path: String, _ status: FileStatus) throws(DatabaseError) -> CatalogueEntry {
    try store.rename(entry.hashes, to: path, status)
    let renamed = CatalogueEntry(path: path, status: status, hashes: entry.hashes)
    add(renamed)  // first, so that the fileID is served all the time
    withdraw(entry)
    return renamed
  }

  /// The open file of an entry, shared by all who read it; kept open for the next one.
  public func open(_ entry: CatalogueEntry) throws(StoredFileError) -> StoredFile { try files.open(entry) }

  /// The file has other attributes and the same bytes: the entry that serves it from now on.
  func touch(_ entry: CatalogueEntry, _ status: FileStatus) throws(DatabaseError) -> CatalogueEntry {
    try store.touch(entry.hashes, at: entry.path, status)
    let touched = CatalogueEntry(path: entry.path, status: status, hashes: entry.hashes)
    add(touched)
    return touched
  }
}
