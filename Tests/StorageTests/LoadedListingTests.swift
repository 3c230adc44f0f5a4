// What a listing in memory knows of its bytes.
import Content
import Testing

@testable import Storage

@Suite struct LoadedListingTests {
  /// A listing of empty folders.
  private func listing(folderCount: Int) throws -> FolderListing {
    var bytes =
      Array("p2pnode-folder-v1".utf8) + (0..<4).map { UInt8(truncatingIfNeeded: folderCount >> (24 - 8 * $0)) }
    for number in 0..<folderCount {
      let digits = String(1_000_000 + number)
      bytes += [3, 0, 200] + Array(digits.utf8) + Array(repeating: UInt8(ascii: "x"), count: 200 - digits.utf8.count)
    }
    return try FolderListing(decoding: bytes)
  }

  @Test(arguments: [0, 1, 80, 81, 5_000, 5_166, 11_000]) func `the leaf hashes of each chunk are those of its bytes`(
    folderCount: Int
  ) throws {
    let listing = try listing(folderCount: folderCount)
    let loaded = try LoadedListing(listing)
    let chunks = loaded.chunks
    #expect(chunks.fileLength == UInt64(21 + 203 * folderCount))
    for chunk in (0..<chunks.chunkCount).map({ ChunkIndex(UInt32($0)) }) {
      let start = Int(chunks.offset(of: chunk))
      let bytes = Array(listing.bytes[start..<start + chunks.length(of: chunk)])
      #expect(loaded.leafHashes(of: chunk) == MerkleTree.leafHashes(bytes.span.bytes, leafSize: chunks.leafSize))
    }
  }
}
