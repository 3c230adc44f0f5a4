// A file for tests, with its bytes and hashes.
import Content
import Storage

/// A file's bytes and hashes.
package struct Sample: AnsweredFile {
  package let name: String
  package let bytes: [UInt8]
  package let file: FileHash
  package let tree: HashTree
  /// By chunk.
  private let leafHashes: [[Digest]]

  package var fileID: FileID { file.fileID }
  package var layout: ChunkLayout { file.layout }

  package init(_ name: String = "sample.bin", byteCount: Int, seed: UInt64 = 1) {
    self.init(name, bytes: pattern(byteCount, seed: seed))
  }

  package init(_ name: String, bytes: [UInt8]) {
    var state = FileHashState()
    // No file of a test is too long.
    var chunks = try! state.feed(bytes.span.bytes)
    let (file, last) = state.finish()
    if let last { chunks.append(last) }
    self.name = name
    self.bytes = bytes
    self.file = file
    tree = HashTree(file)
    leafHashes = chunks.map(\.leafHashes)
  }

  /// Returns the bytes of a run of leaves.
  package func leaves(_ leaves: LeafRange, of chunk: ChunkIndex) -> [UInt8] {
    let start = Int(layout.offset(ofLeaf: leaves.first, in: chunk))
    return Array(bytes[start..<start + layout.length(of: leaves, in: chunk)])
  }

  package func leafHashes(of chunk: ChunkIndex) -> [Digest] { leafHashes[Int(chunk.rawValue)] }

  /// Three chunks and a bit.
  package static let common = Sample(byteCount: 3 * ChunkLayout.wireChunkSize + 20_000)
  /// Two leaves and a bit, so one chunk.
  package static let small = Sample("small.bin", byteCount: 40_000, seed: 2)
}
