// Hashing that was interrupted: the next run continues with what is whole and of the same file.
import Content
import Posix
import Testing
import TestSupport

@testable import Storage

@Suite struct InterruptedHashTests {
  private let remembering = Remembering()
  private var temporary: TemporaryFolder { remembering.temporary }

  /// A file of 70 chunks, of which a process hashed and kept most before it was stopped. Gives the file's right ID.
  private func interrupt() throws -> FileID {
    temporary.write("large", pattern(70 << 20))
    let served = try ServedFolder(temporary.path)
    let status = try served.status("large")
    let store = try HashStore(of: served, in: remembering.state.path)
    let draft = HashDraft(of: "large", in: store)
    draft.begin(status, isYoung: false)
    let (id, tree) = try hashFile(temporary("large"))
    let bytes = pattern(70 << 20)
    for chunk in 0..<66 {
      let span = bytes.span.bytes.extracting(chunk << 20..<(chunk + 1) << 20)
      let hashes = MerkleTree.leafHashes(span, leafSize: 16 << 10)
      #expect(tree.pages.layout.chunkHash(hashes, of: ChunkIndex(UInt32(chunk))) == tree.chunkHashes[chunk])
      try draft.add(ChunkLeaves(chunk: ChunkIndex(UInt32(chunk)), hashes: hashes))
    }
    return id
  }

  @Test func `an interrupted hash continues with the chunks that were hashed`() throws {
    let id = try interrupt()
    // If these rows were not used, the ID would be right.
    try remembering.edit(
      "UPDATE leaves SET hashes = (SELECT hashes FROM leaves WHERE row = (SELECT max(row) FROM leaves))")
    let (catalogue, _) = try remembering.serve()
    #expect(try #require(catalogue.entry(at: "large")).fileID != id)
  }

  @Test func `what is damaged of an interrupted hash is hashed again`() throws {
    let id = try interrupt()
    try remembering.edit(
      "UPDATE leaves SET hashes = CAST(zeroblob(2000) || substr(hashes, 2001) AS BLOB) WHERE row % 2 = 0")
    let (catalogue, _) = try remembering.serve()
    #expect(try #require(catalogue.entry(at: "large")).fileID == id)
    #expect(try catalogue.store.takeUnfinished("large", remembering.status("large")) == nil)
    let again = try remembering.serve()
    #expect(again.catalogue.entry(at: "large")?.fileID == id)
  }

  @Test func `an interrupted hash of a file that changed begins anew`() throws {
    let id = try interrupt()
    let file = try File(temporary("large"), .readWrite)
    try file.write([1].span.bytes, at: 5)
    let (catalogue, _) = try remembering.serve()
    let entry = try #require(catalogue.entry(at: "large"))
    #expect(try entry.fileID == hashFile(temporary("large")).fileID && entry.fileID != id)
  }
}
