// Lies that a bare Merkle root would allow, and false manifests, leaf hashes and leaves. Each of them is refused.
import Testing

@testable import Content

/// Verifies a manifest with wire sizes as a peer may send it.
private func claim(
  kind: UInt8 = 0, length: UInt64, root: Digest, chunkSizeLog2: UInt8 = 20, against fileID: FileID
) throws(ManifestFault) -> Manifest {
  try Manifest.verified(
    kind: kind, length: length, root: root, chunkSizeLog2: chunkSizeLog2, suggestedName: "video.mp4", against: fileID)
}

@Suite struct ManifestTests {
  private let file = FileID(kind: ContentKind.file, length: 3_000_000, root: someDigests(1)[0])
  private let root = someDigests(1)[0]

  @Test func `a true manifest is accepted`() throws {
    let manifest = try claim(length: 3_000_000, root: root, against: file)
    #expect(manifest.kind == .file && manifest.length == 3_000_000 && manifest.root == root)
    #expect(manifest.layout.chunkCount == 3 && manifest.chunkSizeLog2 == 20)
    #expect(manifest.suggestedName == "video.mp4" && manifest.fileID == file)
  }

  @Test func `a manifest with another kind, chunk size, length or root is refused, and the fault names which`() {
    for kind in 3...255 as ClosedRange<UInt8> {
      #expect(throws: ManifestFault.unknownKind(kind)) {
        try claim(kind: kind, length: 3_000_000, root: root, against: file)
      }
    }
    #expect(throws: ManifestFault.notThisFile) { try claim(kind: 1, length: 3_000_000, root: root, against: file) }
    #expect(throws: ManifestFault.wrongKind(.folderContents)) {
      try claim(kind: 2, length: 3_000_000, root: root, against: file)
    }
    // Not even with an ID of contents: people never receive one.
    let contents = FileID(kind: .folderContents, length: 3_000_000, root: root)
    #expect(throws: ManifestFault.wrongKind(.folderContents)) {
      try claim(kind: 2, length: 3_000_000, root: root, against: contents)
    }
    let long = FileID(kind: .folder, length: 1 << 30 + 1, root: root)
    #expect(throws: ManifestFault.tooLong(1 << 30 + 1)) {
      try claim(kind: 1, length: 1 << 30 + 1, root: root, against: long)
    }
    for log2 in 0...255 as ClosedRange<UInt8> where log2 != 20 {
      #expect(throws: ManifestFault.unknownChunkSize(log2: log2)) {
        try claim(length: 3_000_000, root: root, chunkSizeLog2: log2, against: file)
      }
    }
    for length in [(1 << 42) + 1, .max] as [UInt64] {
      #expect(throws: ManifestFault.tooLong(length)) { try claim(length: length, root: root, against: file) }
    }
    for length in [0, 1, 2_999_999, 3_000_001, 1 << 42] as [UInt64] {
      #expect(throws: ManifestFault.notThisFile) { try claim(length: length, root: root, against: file) }
    }
    #expect(throws: ManifestFault.notThisFile) { try claim(length: 3_000_000, root: root.flipped, against: file) }
    #expect(throws: ManifestFault.notThisFile) { try claim(length: 3_000_000, root: .zero, against: file) }
  }

  @Test func `a manifest of an empty file is accepted with the zero root only`() throws {
    let empty = FileID(kind: .file, length: 0, root: .zero)
    #expect(try claim(length: 0, root: .zero, against: empty).layout.chunkCount == 0)
    let forged = FileID(kind: .file, length: 0, root: root)
    #expect(throws: ManifestFault.emptyWithRoot) { try claim(length: 0, root: root, against: forged) }
  }

  @Test func `a simulation agrees on sizes beforehand and does not take them from the peer`() throws {
    let manifest = try Manifest.verified(
      kind: 0, length: 3_000_000, root: root, chunkSizeLog2: 12, suggestedName: "", against: file, chunkSize: 4096,
      leafSize: 64)
    #expect(manifest.layout.chunkCount == 733 && manifest.chunkSizeLog2 == 12 && manifest.fileName == nil)
  }

  @Test func `the fileID hashes its label, the kind, the length and the root, in this order`() {
    let input = Array("p2pnode-file-v1".utf8) + [0] + [0, 0, 0, 0, 0, 0x2D, 0xC6, 0xC0] + root.bytes
    #expect(file.digest.bytes == ReferenceTree.sha256(input))
  }
}

@Suite struct LiesTests {
  @Test func `a 64-byte file of a root's two children has the same root but another fileID`() throws {
    let truth = try hash(someBytes(2 << 20), piece: 1 << 20).file
    let children = truth.chunkHashes[0].bytes + truth.chunkHashes[1].bytes
    let forgery = try hash(children, piece: 64).file
    #expect(forgery.root == truth.root)
    #expect(forgery.fileID != truth.fileID)
    #expect(throws: ManifestFault.notThisFile) { try claim(length: 64, root: forgery.root, against: truth.fileID) }
  }

  @Test func `a tree claimed one level shallower has the same root but another fileID`() throws {
    // Leaves of 64 bytes, so that a row of hashes can pretend to be leaves one level up.
    let truth = try hash(someBytes(16 * 64), piece: 64, chunkSize: 256, leafSize: 64)
    let shallower = truth.chunks.flatMap { $0.leafHashes.flatMap(\.bytes) }
    let forgery = try hash(shallower, piece: 64, chunkSize: 256, leafSize: 64).file
    #expect(forgery.root == truth.file.root && forgery.layout.chunkCount == 2)
    #expect(throws: ManifestFault.notThisFile) {
      try Manifest.verified(
        kind: 0, length: forgery.length, root: forgery.root, chunkSizeLog2: 8, suggestedName: "",
        against: truth.file.fileID, chunkSize: 256, leafSize: 64)
    }
    // Nor can the nodes one level up pass as chunk hashes, however they are sent.
    let tree = try #require(HashTree(truth.file.layout, chunkHashes: truth.file.chunkHashes))
    let page = HashPage(index: PageIndex(0), chunkHashes: forgery.chunkHashes, uncles: [])
    #expect(throws: HashPageFault.wrongChunkHashCount(2)) { try page.verify(against: tree.root, in: tree.pages) }
  }

  @Test func `a manifest with the same root and another length is refused`() throws {
    // A file of five chunks, claimed to have six: the sixth consists of missing leaves.
    let truth = try hash(someBytes(5 * 64), piece: 64, chunkSize: 64, leafSize: 16).file
    let longer = try #require(ChunkLayout(fileLength: 6 * 64, chunkSize: 64, leafSize: 16))
    let noChunk = MerkleTree.padding(level: 2)
    #expect(MerkleTree.root(truth.chunkHashes + [noChunk], in: longer) == truth.root)
    #expect(throws: ManifestFault.notThisFile) {
      try Manifest.verified(
        kind: 0, length: 6 * 64, root: truth.root, chunkSizeLog2: 6, suggestedName: "", against: truth.fileID,
        chunkSize: 64, leafSize: 16)
    }
  }

  @Test func `a chunk of padding is refused as a chunk of the file`() throws {
    let truth = try hash(someBytes(5 * 64), piece: 64, chunkSize: 64, leafSize: 16).file
    let noChunk = MerkleTree.padding(level: 2)
    let page = HashPage(index: PageIndex(0), chunkHashes: truth.chunkHashes + [noChunk], uncles: [])
    #expect(throws: HashPageFault.wrongChunkHashCount(6)) {
      try page.verify(against: truth.root, in: PageLayout(truth.layout))
    }
    #expect(throws: LeafHashesFault.noSuchChunk) {
      try LeafHashes(
        verifying: [.zero, .zero, .zero, .zero], of: ChunkIndex(5), hash: noChunk, in: truth.layout)
    }
    // No bytes match a fileID that is made from such a claim.
    let longer = try #require(ChunkLayout(fileLength: 6 * 64, chunkSize: 64, leafSize: 16))
    let leaves = try LeafHashes(
      verifying: [.zero, .zero, .zero, .zero], of: ChunkIndex(5), hash: noChunk, in: longer)
    #expect(!leaves.match([UInt8](repeating: 0, count: 16), at: LeafRange(first: 0, count: 1)))
  }
}

@Suite struct LeafHashesTests {
  private static let bytes = someBytes(2 * 64 + 35)

  private func leaves(of chunk: Int) throws -> LeafHashes {
    let (file, chunks) = try hash(Self.bytes, piece: 64, chunkSize: 64, leafSize: 16)
    return try LeafHashes(
      verifying: chunks[chunk].leafHashes, of: ChunkIndex(UInt32(chunk)), hash: file.chunkHashes[chunk],
      in: file.layout)
  }

  @Test func `leaf hashes are refused if one is wrong or their number is`() throws {
    for chunk in 0..<3 as Range<UInt32> {
      let truth = try leaves(of: Int(chunk))
      let hash = MerkleTree.chunkHash(truth.hashes, in: truth.layout)
      for i in truth.hashes.indices {
        var wrong = truth.hashes
        wrong[i] = wrong[i].flipped
        #expect(throws: LeafHashesFault.notThisChunk) {
          try LeafHashes(verifying: wrong, of: truth.chunk, hash: hash, in: truth.layout)
        }
      }
      // Extra zero hashes after the true ones do not change the chunk's hash. Only the count shows the lie.
      for count in 0...65 where count != truth.hashes.count {
        let wrong = Array((truth.hashes + [Digest](repeating: .zero, count: 65)).prefix(count))
        #expect(throws: LeafHashesFault.wrongCount(count)) {
          try LeafHashes(verifying: wrong, of: truth.chunk, hash: hash, in: truth.layout)
        }
      }
      #expect(throws: LeafHashesFault.notThisChunk) {
        try LeafHashes(verifying: truth.hashes, of: truth.chunk, hash: hash.flipped, in: truth.layout)
      }
      for beyond in [3, UInt32.max] {
        #expect(throws: LeafHashesFault.noSuchChunk) {
          try LeafHashes(verifying: truth.hashes, of: ChunkIndex(beyond), hash: hash, in: truth.layout)
        }
      }
    }
  }

  @Test func `every run of true leaves matches, and no other bytes match`() throws {
    for chunk in 0..<3 {
      let truth = try leaves(of: chunk)
      let content = Array(Self.bytes.dropFirst(chunk * 64).prefix(64))
      for first in truth.hashes.indices {
        for count in 1...truth.hashes.count - first {
          let run = LeafRange(first: first, count: count)
          let piece = Array(content[first * 16..<min(run.end * 16, content.count)])
          #expect(truth.match(piece, at: run))
          for i in piece.indices {
            var wrong = piece
            wrong[i] ^= 1
            #expect(!truth.match(wrong, at: run))
          }
          #expect(!truth.match(piece + [0], at: run))
          #expect(!truth.match(Array(piece.dropLast()), at: run))
        }
      }
      #expect(!truth.match(content, at: LeafRange(first: 0, count: truth.hashes.count + 1)))
      #expect(!truth.match(content, at: LeafRange(first: 63, count: 1)))
      #expect(!truth.match([], at: LeafRange(first: 0, count: 1)))
    }
  }

  @Test func `a file of one chunk is padded only to the next power of two of its leaves`() throws {
    for leafCount in 1...64 {
      let bytes = someBytes(leafCount * 2 - 1)
      let (file, chunks) = try hash(bytes, piece: bytes.count, chunkSize: 128, leafSize: 2)
      #expect(file.chunkHashes == [file.root])
      let leaves = try LeafHashes(
        verifying: chunks[0].leafHashes, of: ChunkIndex(0), hash: file.root, in: file.layout)
      #expect(leaves.match(bytes, at: file.layout.leaves(of: ChunkIndex(0))))
    }
  }
}

extension LeafHashes {
  /// `match` for an array, because the macro of an expectation cannot hold a span.
  fileprivate func match(_ bytes: [UInt8], at leaves: LeafRange) -> Bool { match(bytes.span.bytes, at: leaves) }
}
