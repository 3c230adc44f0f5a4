// Checks whether a served file still has the bytes that were hashed. The file's times do not always show it: a program
// that writes through a memory mapping can change bytes and leave the times.
import Content
import Posix

extension Catalogue {
  /// Reads a chunk of an entry's file and compares it with its leaf hashes. If they differ, throws `changed` and
  /// forgets the file's hashes, so that the file is hashed again although its status is the same.
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
  /// Returns the hashes of a chunk's leaves. `read` takes a file offset and a byte count, and fills that many bytes at
  /// the start of the span.
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
