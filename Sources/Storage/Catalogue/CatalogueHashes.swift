// Reads the hashes of served files, and of deleted files that a listing still names.
import Content
import Posix
import SQLite

extension Catalogue {
  /// Returns a page of the entry's file, which must have it. Throws EIO if the page cannot be read or does not hash to
  /// the root.
  public func page(_ index: PageIndex, _ entry: CatalogueEntry) throws(Errno) -> HashPage {
    try page(index, of: entry.hashes, entry.layout, entry.path)
  }

  /// Returns the leaf hashes of a chunk, which the entry's file must have. They are checked against the chunk's hash,
  /// so that a faulty disk never makes this node send wrong hashes. Throws EIO if they are wrong.
  public func leafHashes(of chunk: ChunkIndex, _ entry: CatalogueEntry) throws(Errno) -> LeafHashes {
    try leafHashes(of: chunk, of: entry.hashes, entry.layout, entry.path)
  }

  /// As `page(_:_:)`, for any file with this content, also a deleted one. Nil if the hashes are not known.
  public func page(_ index: PageIndex, of content: FileContent) throws(Errno) -> HashPage? {
    guard let (file, layout, name) = try file(content) else { return nil }
    return try page(index, of: file, layout, name)
  }

  /// As `leafHashes(of:_:)`, for any file with this content, also a deleted one. Nil if the hashes are not known.
  public func leafHashes(of chunk: ChunkIndex, of content: FileContent) throws(Errno) -> LeafHashes? {
    guard let (file, layout, name) = try file(content) else { return nil }
    return try leafHashes(of: chunk, of: file, layout, name)
  }

  /// Whether the database has the hashes of a content. The bytes may be gone.
  public func hasHashes(of content: FileContent) -> Bool { (try? file(content)) != nil }

  private func file(_ content: FileContent) throws(Errno) -> (KnownFile, ChunkLayout, name: String)? {
    if let entry = entry(of: content) { return (entry.hashes, entry.layout, entry.path) }
    let name = "a file that is gone"
    guard let layout = ChunkLayout(fileLength: content.length) else { return nil }
    do throws(DatabaseError) {
      return try store.retired(content).map { ($0, layout, name) }
    } catch {
      throw Errno(code: Errno.inputOutput, call: "sqlite3_step", subject: name)
    }
  }

  private func page(
    _ index: PageIndex, of file: KnownFile, _ layout: ChunkLayout, _ name: String
  ) throws(Errno) -> HashPage {
    // The database has no page for a file of one chunk: it would only repeat the root.
    if layout.chunkCount == 1, index.rawValue == 0 {
      return HashPage(index: index, chunkHashes: [file.root], uncles: [])
    }
    if let page = pageCache.page(index, of: file.number) { return page }
    let page: HashPage?
    do throws(DatabaseError) { page = try store.page(index, of: file, in: PageLayout(layout)) } catch {
      throw lost(file, error.description)
    }
    guard let page else { throw lost(file, "chunk hashes of \(name)") }
    pageCache.keep(page, of: file.number)
    return page
  }

  private func leafHashes(
    of chunk: ChunkIndex, of file: KnownFile, _ layout: ChunkLayout, _ name: String
  ) throws(Errno) -> LeafHashes {
    let pages = PageLayout(layout)
    guard let index = pages.page(of: chunk) else { preconditionFailure("a page has the hash of each chunk of a file") }
    let page = try page(index, of: file, layout, name)
    var hashes = [file.root]
    // The leaf hash of a file of one leaf is the root.
    if layout.fileLength > UInt64(layout.leafSize) {
      do throws(DatabaseError) { hashes = try store.leafHashes(of: chunk, of: file) } catch {
        throw lost(file, error.description)
      }
    }
    let hash = page.chunkHashes[Int(chunk.rawValue) - pages.chunks(of: index).lowerBound]
    do throws(LeafHashesFault) {
      return try LeafHashes(verifying: hashes, of: chunk, hash: hash, in: layout)
    } catch {
      throw lost(file, "leaf hashes of \(name)")
    }
  }

  /// Forgets the damaged hashes of a file, so that the file is hashed again at the next scan. Returns the error to
  /// throw.
  private func lost(_ file: KnownFile, _ what: String) -> Errno {
    try? store.remove(file.number)
    return Errno(code: Errno.inputOutput, call: "sqlite3_step", subject: what)
  }
}
