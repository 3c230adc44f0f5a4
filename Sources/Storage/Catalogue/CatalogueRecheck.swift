// Whether a served file still is what was hashed, where its times do not tell: a program that writes through a memory
// mapping changes bytes without them.
import Content
import Posix

extension Catalogue {
  /// Reads a chunk of an entry's file and compares it with its leaf hashes. If they differ, throws `changed` and forgets
  /// what the file hashed to, so that it is hashed anew although it seems to be the same.
  public func recheck(_ chunk: ChunkIndex, of entry: CatalogueEntry) throws(StoredFileError) {
    guard entry.layout.contains(chunk) else { return }
    let due: [Digest]
    do throws(Errno) { due = try leafHashes(of: chunk, entry).hashes } catch { throw StoredFileError(reading: error) }
    let file = try open(entry)
    let found = try MerkleTree.leafHashes(of: chunk, in: entry.layout) { offset, count, bytes throws(StoredFileError) in
      try file.read(at: offset, count: count, into: &bytes)
    }
    guard found == due else {
      try? store.remove(entry.hashes.number)
      throw .changed(path: entry.path)
    }
  }
}

extension MerkleTree {
  /// The hashes of a chunk's leaves. `read` fills the first bytes of a span, as many as it is told, from an offset of the
  /// file on.
  package static func leafHashes<E: Error>(
    of chunk: ChunkIndex, in layout: ChunkLayout, read: (UInt64, Int, inout MutableRawSpan) throws(E) -> Void
  ) throws(E) -> [Digest] {
    var hashes: [Digest] = []
    var buffer = [UInt8](repeating: 0, count: ParallelHash.bufferBytes)
    for leaves in layout.runs(of: chunk, byteCountMax: ParallelHash.bufferBytes) {
      let count = layout.length(of: leaves, in: chunk)
      var span = buffer.mutableSpan
      var bytes = span.mutableBytes
      try read(layout.offset(ofLeaf: leaves.first, in: chunk), count, &bytes)
      hashes += layout.leafHashes(buffer.span.bytes.extracting(first: count), from: leaves.first, of: chunk)
    }
    return hashes
  }
}
