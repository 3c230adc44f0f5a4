// Reads pieces, pages and leaf hashes for peers: from a folder's files and database, its listing, or a running
// download.
import Content
import Posix
import Storage
import Transfer

/// Reads the data that peers request. Each loop has one for all its connections, confined to its thread. A call may
/// wait for the disk.
struct ServedFileReader: ~Copyable {
  /// The file bytes of the latest piece, until `takePiece`.
  private var piece = ByteQueue()

  /// Returns a page of chunk hashes. Nil if the node has no chunk of the page.
  func page(_ index: PageIndex, of source: ServedSource) throws(StoredFileError) -> HashPage? {
    switch source {
    case .entry(let entry, let folder):
      do throws(Errno) { return try folder.catalogue.page(index, entry) } catch { throw .unreadable(error) }
    case .download(let share): return share.page(index)
    case .listing(let open): return open.loaded.tree.page(index)
    case .contents(let open): return try open.page(index)
    }
  }

  /// Returns the hashes of all leaves of a chunk.
  func leafHashes(of chunk: ChunkIndex, in source: ServedSource) throws(StoredFileError) -> [Digest] {
    switch source {
    case .entry(let entry, let folder):
      do throws(Errno) { return try folder.catalogue.leafHashes(of: chunk, entry).hashes } catch {
        throw .unreadable(error)
      }
    case .download(let share): return try share.leafHashes(of: chunk)
    case .listing(let open): return open.loaded.leafHashes(of: chunk)
    case .contents(let open): return try open.leafHashes(of: chunk)
    }
  }

  /// Reads the file bytes of a piece, 64 KiB at most, and returns their number. `takePiece` then hands them out. After
  /// an error there are none.
  mutating func read(_ piece: UploadPiece, of source: ServedSource) throws(StoredFileError) -> Int {
    switch source {
    case .entry(let entry, let folder):
      let file = try folder.catalogue.open(entry)
      return try read(piece, in: entry.layout) { offset, room throws(StoredFileError) in
        try file.read(at: offset, into: &room)
        try folder.catalogue.checkYoung(entry, at: offset, room.bytes)
      }
    case .download(let share):
      guard let layout = share.layout else { preconditionFailure("it is offered, so its layout is known") }
      return try read(piece, in: layout) { offset, room throws(StoredFileError) in
        try share.read(at: offset, count: room.byteCount, into: &room)
      }
    case .listing(let open):
      let (bytes, layout) = (open.loaded.layout.listing.bytes, open.loaded.chunks)
      let start = Int(layout.offset(ofLeaf: piece.leaves.first, in: piece.chunk))
      self.piece.append(Array(bytes[start..<start + layout.length(of: piece.leaves, in: piece.chunk)]))
      return self.piece.count
    case .contents(let open): return try read(piece, in: open)
    }
  }

  /// Reads a piece of folder contents, which may span several files.
  private mutating func read(_ piece: UploadPiece, in open: OpenContents) throws(StoredFileError) -> Int {
    let layout = open.chunks
    let byteCount = layout.length(of: piece.leaves, in: piece.chunk)
    let offset = layout.offset(ofLeaf: piece.leaves.first, in: piece.chunk)
    self.piece.makeRoom(for: byteCount, least: Block.capacity)
    do throws(StoredFileError) {
      for run in open.layout.runs(at: offset, count: byteCount) {
        try self.piece.fill(upTo: run.count) { room throws(StoredFileError) in
          try open.read(run, into: &room)
          return run.count
        }
      }
    } catch {
      self.piece.drop(self.piece.count)
      throw error
    }
    return byteCount
  }

  private mutating func read(
    _ piece: UploadPiece, in layout: ChunkLayout,
    _ read: (UInt64, inout MutableRawSpan) throws(StoredFileError) -> Void
  ) throws(StoredFileError) -> Int {
    let byteCount = layout.length(of: piece.leaves, in: piece.chunk)
    let offset = layout.offset(ofLeaf: piece.leaves.first, in: piece.chunk)
    self.piece.makeRoom(for: byteCount, least: Block.capacity)
    try self.piece.fill(upTo: byteCount) { room throws(StoredFileError) in
      try read(offset, &room)
      return byteCount
    }
    return byteCount
  }

  /// Passes the bytes of the latest `read` to `body`, then drops them.
  mutating func takePiece(_ body: (RawSpan) -> Void) {
    piece.read(at: 0, count: piece.count, body)
    piece.drop(piece.count)
  }
}
