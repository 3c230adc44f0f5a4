// A second, slower telling of BEP 52 to compare with: it builds the whole padded row of leaves and halves it by recursion.
@testable import Content

enum ReferenceTree {
  /// The root of a file as BEP 52 says it, with no notion of a chunk.
  static func root(of bytes: [UInt8], leafSize: Int) -> [UInt8] {
    var row = leaves(bytes, leafSize)
    while row.count & (row.count - 1) != 0 { row.append(missing) }
    return row.isEmpty ? missing : top(row[...])
  }

  /// The hash of each chunk: the subtree over its share of the padded row, or the root of a file of one chunk.
  static func chunkHashes(of bytes: [UInt8], leafSize: Int, leavesPerChunk: Int) -> [[UInt8]] {
    var row = leaves(bytes, leafSize)
    if row.isEmpty { return [] }
    if row.count <= leavesPerChunk { return [root(of: bytes, leafSize: leafSize)] }
    while row.count % leavesPerChunk != 0 { row.append(missing) }
    return stride(from: 0, to: row.count, by: leavesPerChunk).map { top(row[$0..<$0 + leavesPerChunk]) }
  }

  static let missing = [UInt8](repeating: 0, count: 32)

  /// The hash function itself is held against published values and against libtorrent.
  static func sha256(_ bytes: [UInt8]) -> [UInt8] { Digest(sha256: bytes.span.bytes).bytes }

  private static func leaves(_ bytes: [UInt8], _ leafSize: Int) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: leafSize).map { sha256(Array(bytes[$0..<min($0 + leafSize, bytes.count)])) }
  }

  private static func top(_ row: ArraySlice<[UInt8]>) -> [UInt8] {
    if row.count == 1 { return row[row.startIndex] }
    let middle = row.startIndex + row.count / 2
    return sha256(top(row[..<middle]) + top(row[middle...]))
  }
}

/// Bytes that differ everywhere and repeat nowhere near a leaf's size: a linear congruential row.
func someBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var state = seed
  return (0..<count).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt8(truncatingIfNeeded: state >> 56)
  }
}

/// The hashes of a file that is fed in pieces of one size.
func hash(
  _ bytes: [UInt8], piece: Int, chunkSize: Int = ChunkLayout.wireChunkSize, leafSize: Int = ChunkLayout.wireLeafSize
) throws -> (file: FileHash, chunks: [HashedChunk]) {
  var state = FileHashState(chunkSize: chunkSize, leafSize: leafSize)
  var chunks: [HashedChunk] = []
  for start in stride(from: 0, to: bytes.count, by: piece) {
    chunks += try state.feed(bytes.span.bytes.extracting(start..<min(start + piece, bytes.count)))
  }
  let (file, lastChunk) = state.finish()
  if let lastChunk { chunks.append(lastChunk) }
  return (file, chunks)
}

extension ReferenceTree {
  /// The root over a row of chunk hashes, filled up with chunks of missing leaves to a power of two.
  static func root(ofChunks chunkHashes: [Digest], leavesPerChunk: Int) -> [UInt8] {
    let noChunk = top([[UInt8]](repeating: missing, count: leavesPerChunk)[...])
    var row = chunkHashes.map(\.bytes)
    while row.count & (row.count - 1) != 0 { row.append(noChunk) }
    return row.isEmpty ? missing : top(row[...])
  }
}

/// What `Digest` makes of an array; an expectation's macro cannot hold a span.
func sha256(_ bytes: [UInt8]) -> Digest { Digest(sha256: bytes.span.bytes) }

/// Hashes that stand for the chunks of some file.
func someDigests(_ count: Int, seed: UInt8 = 0) -> [Digest] {
  (0..<count).map { number in
    let bytes: [UInt8] = [seed, UInt8(number & 255), UInt8(number >> 8 & 255), UInt8(number >> 16)]
    return sha256(bytes)
  }
}

extension Digest {
  /// The same with one bit turned.
  var flipped: Digest {
    var bytes = self.bytes
    bytes[17] ^= 0x20
    return Digest(bytes)!
  }
}
