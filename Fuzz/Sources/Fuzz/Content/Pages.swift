// Pages of chunk hashes, and leaf hashes, from a peer. Only those of the file are accepted.
@testable import Content

/// A small file with all hashes. Chunks have 4 leaves of one byte.
struct TinyFile: Sendable {
  let layout: ChunkLayout
  let bytes: [UInt8]
  /// By chunk.
  let leafHashes: [[Digest]]
  let tree: HashTree

  init(length: Int, chunksPerPage: Int) {
    layout = ChunkLayout(fileLength: UInt64(length), chunkSize: 4, leafSize: 1)!
    let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
    let layout = layout
    let leafHashes = (0..<layout.chunkCount).map { chunk in
      MerkleTree.leafHashes(bytes.span.bytes.extracting(chunk * 4..<min(chunk * 4 + 4, length)), leafSize: 1)
    }
    self.bytes = bytes
    self.leafHashes = leafHashes
    tree = HashTree(
      layout, chunkHashes: leafHashes.map { MerkleTree.chunkHash($0, in: layout) }, chunksPerPage: chunksPerPage)!
  }

  static let all: [TinyFile] = [
    (1, 4), (4, 1), (5, 1), (7, 2), (13, 2), (16, 4), (17, 4), (33, 2), (35, 1), (64, 4), (66, 4), (70, 16),
  ].map { TinyFile(length: $0.0, chunksPerPage: $0.1) }
}

extension Array where Element == Digest {
  /// Adds, removes, changes or swaps some digests, as the input says.
  mutating func spoil(_ input: inout Input) {
    switch input.number(below: 6) {
    case 1: append(Digest(input.bytes32())!)
    case 2: if !isEmpty { removeLast() }
    case 3: if !isEmpty { self[input.number(below: Swift.min(count, 256))] = Digest(input.bytes32())! }
    case 4: if count > 1 { swapAt(0, 1 + input.number(below: Swift.min(count - 1, 256))) }
    case 5: append(.zero)
    default: break
    }
  }
}

enum Pages {
  static let target = Target(
    "page", seeds: { _ in TinyFile.all.indices.map { [UInt8($0), 0, 0, 0] } + [[7, 2, 3, 1], [9, 3, 2, 2, 4, 0]] }, run)

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let file = TinyFile.all[input.number(below: TinyFile.all.count)]
    let honest = file.tree.page(PageIndex(UInt32(input.number(below: file.tree.pages.pageCount))))!
    var (hashes, uncles) = (honest.chunkHashes, honest.uncles)
    hashes.spoil(&input)
    uncles.spoil(&input)
    let index = input.u8() == 0 ? honest.index : PageIndex(input.u32())
    let page = HashPage(index: index, chunkHashes: hashes, uncles: uncles)
    var fault: HashPageFault?
    do throws(HashPageFault) { try page.verify(against: file.tree.root, in: file.tree.pages) } catch { fault = error }
    require((fault == nil) == (page == file.tree.page(index)), "a page of the file is taken, and nothing else")
  }
}

enum LeafHashesOfPeers {
  static let target = Target(
    "leaf-hashes", seeds: { _ in TinyFile.all.indices.map { [UInt8($0), 0, 0, 0, 4, 0] } }, run)

  private static func run(_ bytes: [UInt8]) {
    var input = Input(bytes)
    let file = TinyFile.all[input.number(below: TinyFile.all.count)]
    let index = input.number(below: file.layout.chunkCount)
    let chunk = ChunkIndex(UInt32(index))
    var hashes = file.leafHashes[index]
    hashes.spoil(&input)
    let claimed = input.u8() & 7 == 7 ? ChunkIndex(input.u32()) : chunk
    let known = file.layout.contains(claimed) ? Int(claimed.rawValue) : index
    do throws(LeafHashesFault) {
      let leaves = try LeafHashes(
        verifying: hashes, of: claimed, hash: file.tree.chunkHashes[known], in: file.layout)
      require(file.layout.contains(claimed), "a chunk that the file does not have has no leaf hashes")
      require(hashes == file.leafHashes[known], "leaf hashes of the chunk are taken, and nothing else")
      match(leaves, of: file, &input)
    } catch {
      require(claimed != chunk || hashes != file.leafHashes[index], "the chunk's own leaf hashes are taken")
    }
  }

  private static func match(_ leaves: LeafHashes, of file: TinyFile, _ input: inout Input) {
    let first = input.number(below: 6)
    let range = LeafRange(first: first, count: 1 + input.number(below: 5))
    let start = Int(file.layout.offset(of: leaves.chunk))
    let (from, to) = (start + range.first, start + range.end)
    var bytes = Array(file.bytes[min(from, file.bytes.count)..<min(to, file.bytes.count)])
    let change = input.number(below: 4)
    if change == 1 { bytes.append(input.u8()) }
    if change == 2 { _ = bytes.popLast() }
    if change == 3, !bytes.isEmpty { bytes[input.number(below: bytes.count)] ^= input.u8() }
    let isInside = range.end <= file.layout.leafCount(of: leaves.chunk)
    let isTrue = isInside && bytes.elementsEqual(file.bytes[from..<to])
    require(leaves.match(bytes.span.bytes, at: range) == isTrue, "leaves match their own bytes, and nothing else")
  }
}
