// The contents of a folder that a peer has open. Any served file with equal bytes may provide the data and hashes.
import Content
import Posix
import Storage
import Transfer
import Wire

/// The files of a listing, as they were when a peer opened them. If a file goes or changes later, a read of it fails.
final class OpenContents: Sendable {
  /// How many files of equal bytes are tried for one read. Each costs a disk access.
  private static let pathsMax = 16

  let listing: ServedListing
  let share: FolderShare
  private let loaded: LoadedListing
  /// Leaves, as a mask per chunk, that this node did not have when the peer opened the contents. The peer was told so.
  let absent: [ChunkIndex: UInt64]

  var layout: FolderLayout { loaded.layout }
  var chunks: ChunkLayout { ChunkLayout(loaded.layout) }
  private var offered: OfferedContents { share.context.offered }

  init(_ listing: ServedListing, _ loaded: LoadedListing, _ share: FolderShare) {
    (self.listing, self.loaded, self.share) = (listing, loaded, share)
    let catalogues = share.context.offered.folders.map(\.catalogue)
    absent = loaded.absentLeaves(at: share.context.offered.changeCount) {
      OpenContents.absentLeaves(of: loaded.layout, in: catalogues)
    }
  }

  /// Returns the answer to an OPEN.
  func file(_ key: FileKey) -> ServedFile {
    ServedFile(
      kind: .folderContents, key: key, pages: PageLayout(chunks), root: listing.root,
      name: share.catalogue.listings.name(of: listing),
      parts: absent.isEmpty ? nil : parts)
  }

  /// Returns whether this node had the leaves. Chunk and leaves may be out of range.
  func offers(_ leaves: LeafRange, of chunk: ChunkIndex) -> Bool { absent[chunk, default: 0] & leaves.mask == 0 }

  private var parts: HeldParts {
    let chunks = chunks
    var bits = [UInt8](repeating: 0xFF, count: (chunks.chunkCount + 7) / 8)
    if chunks.chunkCount % 8 > 0 { bits[bits.count - 1] = UInt8(truncatingIfNeeded: 0xFF00 >> (chunks.chunkCount % 8)) }
    var runs: [LeafRun] = []
    for (chunk, mask) in absent.sorted(by: { $0.key < $1.key }) {
      bits[Int(chunk.rawValue) / 8] &= ~(0x80 >> UInt8(chunk.rawValue % 8))
      runs += LeafRun.runs(of: chunks.leaves(of: chunk).mask & ~mask, in: chunk)
    }
    return HeldParts(wholeChunks: bits, runs: runs)
  }

  // MARK: Absent files

  /// Returns the leaves of files that no catalogue has, and the leaves that cannot be proven without the hashes of such
  /// a file.
  private static func absentLeaves(of layout: FolderLayout, in catalogues: [Catalogue]) -> [ChunkIndex: UInt64] {
    var absent: [ChunkIndex: UInt64] = [:]
    let (listing, chunks) = (layout.listing, ChunkLayout(layout))
    let pages = PageLayout(chunks)
    for entry in 0..<listing.count where listing.isFile(entry) {
      let content = listing.content(of: entry)
      guard content.length > 0, !catalogues.contains(where: { $0.has(content) }) else { continue }
      for (chunk, mask) in layout.places(ofFile: entry) { absent[chunk, default: 0] |= mask }
      // The hash of a file with a single leaf is the root, so its hashes are always known.
      if content.length <= UInt64(chunks.leafSize) || catalogues.contains(where: { $0.hasHashes(of: content) }) {
        continue
      }
      for (chunk, _) in layout.places(ofFile: entry) {
        guard let page = pages.page(of: chunk) else {
          absent[chunk] = chunks.leaves(of: chunk).mask
          continue
        }
        for other in pages.chunks(of: page) {
          let other = ChunkIndex(UInt32(other))
          absent[other] = chunks.leaves(of: other).mask
        }
      }
    }
    return absent
  }

  // MARK: Reading

  /// Returns a page: the chunk hashes of all files that have chunks in it. A page that belongs to one file alone has
  /// uncles too.
  func page(_ index: PageIndex) throws(StoredFileError) -> HashPage {
    let pages = PageLayout(chunks)
    let range = pages.chunks(of: index)
    let (first, last) = (ChunkIndex(UInt32(range.lowerBound)), ChunkIndex(UInt32(range.upperBound - 1)))
    let start = pages.layout.offset(of: first)
    let end = pages.layout.offset(of: last) + UInt64(pages.layout.length(of: last))
    var (hashes, uncles): ([Digest], [Digest]) = ([], [])
    for run in layout.runs(at: start, count: Int(end - start)) {
      let content = layout.listing.content(of: run.entry)
      let number = run.offset / UInt64(pages.layout.chunkSize) / UInt64(pages.chunksPerPage)
      let page = try find(run) { catalogue throws(Errno) in
        try catalogue.page(PageIndex(UInt32(number)), of: content)
      }
      hashes += page.chunkHashes
      uncles = page.uncles
    }
    return HashPage(index: index, chunkHashes: hashes, uncles: uncles)
  }

  /// Returns the hashes of all leaves of a chunk.
  func leafHashes(of chunk: ChunkIndex) throws(StoredFileError) -> [Digest] {
    let chunks = chunks
    var all: [Digest] = []
    for run in layout.runs(at: chunks.offset(of: chunk), count: chunks.length(of: chunk)) {
      let content = layout.listing.content(of: run.entry)
      if content.length <= UInt64(chunks.leafSize) {
        all.append(content.root)
        continue
      }
      let number = ChunkIndex(UInt32(run.offset / UInt64(chunks.chunkSize)))
      all += try find(run) { catalogue throws(Errno) in try catalogue.leafHashes(of: number, of: content) }.hashes
    }
    return all
  }

  private func find<T>(
    _ run: FolderRun, _ read: (Catalogue) throws(Errno) -> T?
  ) throws(StoredFileError) -> T {
    for folder in offered.folders {
      do throws(Errno) { if let found = try read(folder.catalogue) { return found } } catch { throw .unreadable(error) }
    }
    throw .changed(path: path(of: run))
  }

  /// Fills the first bytes of a span with a run of the contents. A file that has changed since it was hashed is
  /// withdrawn, and another file of the same bytes is tried.
  func read(_ run: FolderRun, into buffer: inout MutableRawSpan) throws(StoredFileError) {
    let content = layout.listing.content(of: run.entry)
    for _ in 0..<OpenContents.pathsMax {
      guard let (entry, folder) = offered.entry(of: content) else { break }
      do throws(StoredFileError) {
        return try folder.catalogue.read(entry, at: run.offset, count: run.count, into: &buffer)
      } catch {
        if case .busy = error { throw error }
        share.context.withdraw(entry, of: folder, because: error)
      }
    }
    throw .changed(path: path(of: run))
  }

  /// Reads all parts of files in a chunk and compares them with their hashes. Withdraws files that differ.
  func recheck(_ chunk: ChunkIndex) {
    let chunks = chunks
    guard chunks.contains(chunk) else { return }
    for run in layout.runs(at: chunks.offset(of: chunk), count: chunks.length(of: chunk)) {
      let number = ChunkIndex(UInt32(run.offset / UInt64(chunks.chunkSize)))
      // Several names may lead to one file. Withdraw all that are wrong.
      for _ in 0..<OpenContents.pathsMax {
        guard let (entry, folder) = offered.entry(of: layout.listing.content(of: run.entry)) else { break }
        do throws(StoredFileError) {
          try folder.catalogue.recheck(number, of: entry)
          break
        } catch {
          if case .busy = error { break }
          share.context.withdraw(entry, of: folder, because: error)
        }
      }
    }
  }

  private func path(of run: FolderRun) -> String { listing.path + layout.listing.path(of: run.entry).description }
}
