// The file that a simulation is about, hashed once, as every honest peer has it.
import Content
import Transfer
import Wire

/// A file with its tree.
struct SimulatedFile: Sendable {
  let bytes: [UInt8]
  let layout: ChunkLayout
  let tree: HashTree
  /// By chunk.
  let leafHashes: [[Digest]]
  let target: FetchTarget
  let served: ServedFile
  let manifest: Manifest

  init(_ bytes: [UInt8], _ layout: ChunkLayout, chunksPerPage: Int) {
    var leafHashes: [[Digest]] = []
    var chunkHashes: [Digest] = []
    for index in 0..<layout.chunkCount {
      let start = index * layout.chunkSize
      let chunk = bytes.span.bytes.extracting(start..<start + layout.length(of: ChunkIndex(UInt32(index))))
      let hashes = MerkleTree.leafHashes(chunk, leafSize: layout.leafSize)
      leafHashes.append(hashes)
      chunkHashes.append(layout.chunkHash(hashes, of: ChunkIndex(UInt32(index))))
    }
    let tree = HashTree(layout, chunkHashes: chunkHashes, chunksPerPage: chunksPerPage)!
    let fileID = FileID(kind: .file, length: layout.fileLength, root: tree.root)
    let key = FileKey(fileID, swarm: nil)
    target = FetchTarget(
      fileID: fileID, key: key, chunkSize: layout.chunkSize, leafSize: layout.leafSize,
      chunksPerPage: chunksPerPage)
    self.bytes = bytes
    self.layout = layout
    self.leafHashes = leafHashes
    self.tree = tree
    manifest = Manifest(kind: .file, layout: layout, root: tree.root, suggestedName: "file")
    served = ServedFile(key: key, pages: tree.pages, root: tree.root, name: "file")
  }

  /// The file as a peer offers it that has nothing but the last chunk.
  var servedLastChunk: ServedFile {
    var bits = Array(repeating: UInt8(0), count: (layout.chunkCount + 7) / 8)
    let last = layout.chunkCount - 1
    bits[last / 8] = 0x80 >> UInt8(last % 8)
    return ServedFile(
      key: served.key, pages: tree.pages, root: tree.root, name: "file",
      parts: HeldParts(wholeChunks: bits, runs: []))
  }

  func bytes(of leaves: LeafRange, in chunk: ChunkIndex) -> [UInt8] {
    let start = Int(layout.offset(ofLeaf: leaves.first, in: chunk))
    return Array(bytes[start..<start + layout.length(of: leaves, in: chunk)])
  }
}
