// A second, slower implementation of BEP 52 to compare with. It builds the whole padded row of leaves and recurses.
@testable import Content

enum ReferenceTree {
  /// Returns the root of a file as defined by BEP 52, without chunks.
  static func root(of bytes: [UInt8], leafSize: Int) -> [UInt8] {
    var row = leaves(bytes, leafSize)
    while row.count & (row.count - 1) != 0 { row.append(missing) }
    return row.isEmpty ? missing : top(row[...])
  }

  /// Returns the hash of each chunk: the subtree over its part of the padded row. For a file of one chunk, the root.
  static func chunkHashes(of bytes: [UInt8], leafSize: Int, leavesPerChunk: Int) -> [[UInt8]] {
    var row = leaves(bytes, leafSize)
    if row.isEmpty { return [] }
    if row.count <= leavesPerChunk { return [root(of: bytes, leafSize: leafSize)] }
    while row.count % leavesPerChunk != 0 { row.append(missing) }
    return stride(from: 0, to: row.count, by: leavesPerChunk).map { top(row[$0..<$0 + leavesPerChunk]) }
  }

  static let missing = [UInt8](repeating: 0, count: 32)

  /// SHA-256, which other tests compare with published values and with libtorrent.
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

/// Returns `count` bytes from a linear congruential generator. They do not repeat within the size of a leaf.
func someBytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var state = seed
  return (0..<count).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt8(truncatingIfNeeded: state >> 56)
  }
}

/// Hashes a file that is fed in pieces of one size.
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
  /// The root over a row of chunk hashes, filled up to a power of two with chunks of missing leaves.
  static func root(ofChunks chunkHashes: [Digest], leavesPerChunk: Int) -> [UInt8] {
    let noChunk = top([[UInt8]](repeating: missing, count: leavesPerChunk)[...])
    var row = chunkHashes.map(\.bytes)
    while row.count & (row.count - 1) != 0 { row.append(noChunk) }
    return row.isEmpty ? missing : top(row[...])
  }
}

/// `Digest(sha256:)` for an array, because the macro of an expectation cannot hold a span.
func sha256(_ bytes: [UInt8]) -> Digest { Digest(sha256: bytes.span.bytes) }

/// Invented hashes for the chunks of a file.
func someDigests(_ count: Int, seed: UInt8 = 0) -> [Digest] {
  (0..<count).map { number in
    let bytes: [UInt8] = [seed, UInt8(number & 255), UInt8(number >> 8 & 255), UInt8(number >> 16)]
    return sha256(bytes)
  }
}

extension Digest {
  /// The same digest with one bit flipped.
  var flipped: Digest {
    var bytes = self.bytes
    bytes[17] ^= 0x20
    return Digest(bytes)!
  }
}
