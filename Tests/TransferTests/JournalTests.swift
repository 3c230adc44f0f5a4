// The journal's bytes: what was written is read, up to wherever they are torn.
import Content
import Testing

@testable import Transfer

@Suite struct `A journal's bytes` {
  static let leaf = [UInt8](repeating: 7, count: 16)
  /// Five chunks of four leaves of 16 bytes, the last chunk of two leaves: pages of two chunks.
  static let file: FileHash = {
    var state = FileHashState(chunkSize: 64, leafSize: 16)
    for _ in 0..<18 { _ = try! state.feed(leaf.span.bytes) }
    return state.finish().file
  }()
  static let manifest = Manifest(file, suggestedName: "")
  static let tree = HashTree(file.layout, chunkHashes: file.chunkHashes, chunksPerPage: 2)!
  static let leafHash = MerkleTree.leafHash(leaf.span.bytes)
  static let leafHashes = [Digest](repeating: leafHash, count: 4)

  /// A journal of three batches, and where each ends.
  static let journal: (bytes: [UInt8], ends: [Int]) = {
    let header = JournalHeader(manifest, name: "näme.bin")
    var bytes = JournalContents.opening(header)
    var checksum = JournalContents(header).checksum
    var ends = [bytes.count]
    let batches: [[JournalRecord]] = [
      [.page(tree.page(PageIndex(0))!), .leaves(first: ChunkIndex(0), count: 2, mask: 15)],
      [.page(tree.page(PageIndex(2))!), .leafHashes(ChunkIndex(2), leafHashes)],
      [
        .name("other"), .leaves(first: ChunkIndex(2), count: 1, mask: 2),
        .leaves(first: ChunkIndex(4), count: 1, mask: 3),
      ],
    ]
    for records in batches {
      let (batch, next) = JournalBatch.encoded(records, after: checksum)
      bytes += batch
      checksum = next
      ends.append(bytes.count)
    }
    return (bytes, ends)
  }()

  private func resume(_ contents: JournalContents) throws -> JournalResume {
    try #require(contents.resume(of: Self.manifest, chunksPerPage: 2))
  }

  @Test func `what was written is read`() throws {
    let contents = try #require(JournalContents(decoding: Self.journal.bytes))
    #expect(contents.header == JournalHeader(Self.manifest, name: "näme.bin"))
    #expect(contents.name == "other" && contents.byteCount == Self.journal.bytes.count)
    let resume = try resume(contents)
    #expect(resume.pages == [Self.tree.page(PageIndex(0))!, Self.tree.page(PageIndex(2))!])
    #expect(resume.claims == [ChunkIndex(0): 15, ChunkIndex(1): 15, ChunkIndex(2): 2, ChunkIndex(4): 3])
    let layout = Self.file.layout
    #expect(resume.leafHashes(of: ChunkIndex(2), hash: Self.file.chunkHashes[2], in: layout) == Self.leafHashes)
    #expect(resume.leafHashes(of: ChunkIndex(2), hash: .zero, in: layout) == nil, "not the chunk's")
    #expect(resume.leafHashes(of: ChunkIndex(1), hash: Self.file.chunkHashes[1], in: layout) == nil, "never written")
  }

  @Test func `torn at any byte, all whole batches before the tear count, and nothing else`() throws {
    let (bytes, ends) = Self.journal
    for count in 0...bytes.count {
      let contents = JournalContents(decoding: Array(bytes[..<count]))
      let whole = ends.last { $0 <= count }
      #expect(contents?.byteCount == whole, "\(count)")
      guard let contents else { continue }
      let claimed = [0, 2, 2, 4][ends.firstIndex(of: whole!)!]
      #expect(try resume(contents).claims.count == claimed, "\(count)")
    }
  }

  @Test func `a byte that is wrong ends the journal before its batch`() throws {
    let (bytes, ends) = Self.journal
    for place in bytes.indices {
      var damaged = bytes
      damaged[place] ^= 0x40
      let contents = JournalContents(decoding: damaged)
      #expect(contents?.byteCount == ends.last { $0 <= place }, "\(place)")
    }
  }

  @Test func `a batch is only valid in its place`() throws {
    let (bytes, ends) = Self.journal
    let swapped = Array(bytes[..<ends[0]] + bytes[ends[1]..<ends[2]] + bytes[ends[0]..<ends[1]])
    #expect(JournalContents(decoding: swapped)?.byteCount == ends[0])
  }

  @Test func `bytes after the tear are followed by what is appended once they were cut off`() throws {
    let (bytes, ends) = Self.journal
    var contents = try #require(JournalContents(decoding: Array(bytes[..<(ends[2] - 1)])))
    let again = Array(bytes[..<contents.byteCount]) + contents.rename(to: "third")
    let read = try #require(JournalContents(decoding: again))
    #expect(read.name == "third" && read.byteCount == again.count && contents.byteCount == again.count)
  }

  @Test func `another file's journal gives nothing, and pages that do not lead to the root are left out`() throws {
    let contents = try #require(JournalContents(decoding: Self.journal.bytes))
    let other = Manifest(kind: .file, layout: Self.file.layout, root: .zero, suggestedName: "")
    #expect(contents.resume(of: other) == nil)
    let header = JournalHeader(Self.manifest, name: "x")
    let page = HashPage(index: PageIndex(0), chunkHashes: [.zero, .zero], uncles: Self.tree.page(PageIndex(0))!.uncles)
    let lie = JournalBatch.encoded([.page(page)], after: JournalContents(header).checksum).bytes
    let read = try #require(JournalContents(decoding: JournalContents.opening(header) + lie))
    #expect(try resume(read).pages.isEmpty)
  }

  @Test func `claims of chunks or leaves that the file has not are not heard`() throws {
    let header = JournalHeader(Self.manifest, name: "x")
    let records: [JournalRecord] = [
      .leaves(first: ChunkIndex(.max), count: .max, mask: .max), .leaves(first: ChunkIndex(4), count: .max, mask: .max),
    ]
    let batch = JournalBatch.encoded(records, after: JournalContents(header).checksum).bytes
    let read = try #require(JournalContents(decoding: JournalContents.opening(header) + batch))
    #expect(try resume(read).claims == [ChunkIndex(4): 3])
  }

  @Test(arguments: ["", ".", "..", "a/b", "a\0b", String(repeating: "x", count: 256)])
  func `a name that is no component is none`(name: String) {
    #expect(!JournalHeader.isComponent(name))
    #expect(JournalHeader.isComponent("x" + String(name.prefix(3).filter { $0 != "/" && $0 != "\0" })))
  }
}
