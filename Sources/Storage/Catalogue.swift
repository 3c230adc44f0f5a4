// What is served: which files, what they hash to, and what they were when they were hashed. Lives in memory.
import Content
import Posix
import Synchronization

/// A served file: what it was when it was hashed. Two entries of one path are two entries.
public final class CatalogueEntry: Sendable, CustomStringConvertible {
  /// Relative to the served folder.
  public let path: String
  /// Identity, size and times; a file that no longer has them is no longer this entry.
  public let status: FileStatus
  public let fileID: FileID
  /// Chunk hashes and their pages.
  public let tree: HashTree
  let leaves: LeafRegion

  init(path: String, status: FileStatus, tree: HashTree, leaves: LeafRegion) {
    self.path = path
    self.status = status
    self.tree = tree
    self.leaves = leaves
    fileID = FileID(kind: .file, length: status.size, root: tree.root)
  }

  public var layout: ChunkLayout { tree.pages.layout }
  /// Bytes.
  public var length: UInt64 { status.size }
  /// The last component of the path: what a downloader may call the file.
  public var name: String { PathParts(path).name }
  public var description: String { "\(path) (\(fileID.hex))" }
}

/// The served files of one folder. Thread-safe; reads of one file run side by side.
///
/// Two paths with the same bytes are two entries; one of them serves the fileID, the other steps in when it is withdrawn.
public final class Catalogue: Sendable {
  public let folder: ServedFolder
  let leafStore: LeafStore
  private let bucketOf: @Sendable (FileID) -> UInt16
  private let files: OpenFiles

  private struct Table {
    var byPath: [String: CatalogueEntry] = [:]
    /// The first one of each list serves; no list is empty.
    var byFileID: [FileID: [CatalogueEntry]] = [:]
    var byBucket: [UInt16: [FileID]] = [:]
  }
  private let table = Mutex(Table())

  /// An empty catalogue. Leaf hashes go to an unlinked file in `scratchFolder`, which must exist: 0.2 % of the data.
  /// `bucketOf` is the key under which `candidates` finds a file; it is called once a fileID.
  public init(
    folder: ServedFolder, scratchFolder: String, bucketOf: @escaping @Sendable (FileID) -> UInt16
  ) throws(Errno) {
    self.folder = folder
    self.bucketOf = bucketOf
    leafStore = try LeafStore(in: scratchFolder)
    files = OpenFiles(folder)
  }

  /// All entries, also those of equal contents, in the order of their paths.
  public var entries: [CatalogueEntry] {
    table.withLock { Array($0.byPath.values) }.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  /// The entry that serves a fileID.
  public func entry(_ fileID: FileID) -> CatalogueEntry? { table.withLock { $0.byFileID[fileID]?.first } }

  /// The entries that serve a fileID of this bucket, one a fileID.
  public func candidates(bucket: UInt16) -> [CatalogueEntry] {
    table.withLock { table in (table.byBucket[bucket] ?? []).compactMap { table.byFileID[$0]?.first } }
  }

  /// Adds an entry, in the place of an older one of the same path.
  func add(_ entry: CatalogueEntry) {
    let bucket = bucketOf(entry.fileID)
    let old = table.withLock { table in
      let old = table.byPath[entry.path]
      if let old { Catalogue.remove(old, bucketOf(old.fileID), from: &table) }
      table.byPath[entry.path] = entry
      if table.byFileID[entry.fileID] == nil { table.byBucket[bucket, default: []].append(entry.fileID) }
      table.byFileID[entry.fileID, default: []].append(entry)
      return old
    }
    if let old { files.close(old) }
  }

  /// Takes an entry out: its file is not what was hashed, or is gone. Gives the entry of the same bytes that serves the
  /// fileID from now on. Withdrawing twice does nothing.
  @discardableResult public func withdraw(_ entry: CatalogueEntry) -> CatalogueEntry? {
    let bucket = bucketOf(entry.fileID)
    files.close(entry)
    return table.withLock { table in
      Catalogue.remove(entry, bucket, from: &table)
      return table.byFileID[entry.fileID]?.first
    }
  }

  private static func remove(_ entry: CatalogueEntry, _ bucket: UInt16, from table: inout Table) {
    guard table.byPath[entry.path] === entry else { return }
    table.byPath[entry.path] = nil
    var same = table.byFileID[entry.fileID] ?? []
    same.removeAll { $0 === entry }
    table.byFileID[entry.fileID] = same.isEmpty ? nil : same
    guard same.isEmpty else { return }
    var fileIDs = table.byBucket[bucket] ?? []
    fileIDs.removeAll { $0 == entry.fileID }
    table.byBucket[bucket] = fileIDs.isEmpty ? nil : fileIDs
  }

  /// The open file of an entry, shared by all who read it; kept open for the next one.
  public func open(_ entry: CatalogueEntry) throws(StoredFileError) -> StoredFile { try files.open(entry) }

  /// The leaf hashes of a chunk, which the entry's file must have. Checked against the chunk's hash, so that a scratch
  /// disk that lies never makes a liar of this node: EIO then.
  public func leafHashes(of chunk: ChunkIndex, _ entry: CatalogueEntry) throws(Errno) -> LeafHashes {
    let hashes = try leafStore.read(of: chunk, in: entry.layout, from: entry.leaves)
    do throws(LeafHashesFault) {
      return try LeafHashes(
        verifying: hashes, of: chunk, hash: entry.tree.chunkHashes[Int(chunk.rawValue)], in: entry.layout)
    } catch {
      throw Errno(code: Errno.inputOutput, call: "pread", subject: "leaf hashes of \(entry.path)")
    }
  }
}
