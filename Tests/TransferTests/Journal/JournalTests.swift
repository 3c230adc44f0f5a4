// The bytes of a journal: everything written is read back, up to the place where the journal is torn.
import Content
import Testing

@testable import Transfer

@Suite struct `A journal's bytes` {
  static let leaf = [UInt8](repeating: 7, count: 16)
  /// Five chunks of four leaves of 16 bytes; the last chunk has two leaves. Pages have two chunks.
  static let file: FileHash = {
    var state = FileHashState(chunkSize: 64, leafSize: 16)
    for _ in 0..<18 { _ = try! state.feed(leaf.span.bytes) }
    return state.finish().file
  }()
  static let manifest = Manifest(file, suggestedName: "")
  static let tree = HashTree(file.layout, chunkHashes: file.chunkHashes, chunksPerPage: 2)!
  static let leafHash = MerkleTree.leafHash(leaf.span.bytes)
  static let leafHashes = [Digest](repeating: leafHash, count: 4)

  /// A journal of three batches, and the end of each batch.
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

  @Test func `records are read as they were written`() throws {
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

  @Test func `a journal cut at any byte gives all complete batches before the cut and nothing else`() throws {
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

  @Test func `a wrong byte ends the journal before its batch`() throws {
    let (bytes, ends) = Self.journal
    for place in bytes.indices {
      var damaged = bytes
      damaged[place] ^= 0x40
      let contents = JournalContents(decoding: damaged)
      #expect(contents?.byteCount == ends.last { $0 <= place }, "\(place)")
    }
  }

  @Test func `a batch is valid only in its place`() throws {
    let (bytes, ends) = Self.journal
    let swapped = Array(bytes[..<ends[0]] + bytes[ends[1]..<ends[2]] + bytes[ends[0]..<ends[1]])
    #expect(JournalContents(decoding: swapped)?.byteCount == ends[0])
  }

  @Test func `new batches can be appended after a torn end is cut off`() throws {
    let (bytes, ends) = Self.journal
    var contents = try #require(JournalContents(decoding: Array(bytes[..<(ends[2] - 1)])))
    let again = Array(bytes[..<contents.byteCount]) + contents.rename(to: "third")
    let read = try #require(JournalContents(decoding: again))
    #expect(read.name == "third" && read.byteCount == again.count && contents.byteCount == again.count)
  }

  private func opening(_ bytes: [UInt8], isPartNew: Bool = false, name: String = "other") -> JournalOpening {
    JournalOpening(bytes, isPartNew: isPartNew, of: Self.manifest, name: name, chunksPerPage: 2)
  }

  @Test func `a complete journal is continued, and a torn end is cut off`() throws {
    let (bytes, ends) = Self.journal
    let whole = opening(bytes)
    #expect(whole.keptByteCount == bytes.count && whole.appended == [] && whole.resume.claims.count == 4)
    let torn = opening(Array(bytes.dropLast()), name: "third")
    #expect(torn.keptByteCount == ends[2])
    let read = try #require(JournalContents(decoding: Array(bytes[..<torn.keptByteCount]) + torn.appended))
    #expect(read.name == "third" && read.checksum == torn.contents.checksum)
  }

  @Test func `a journal of another file, or without a part file, is replaced`() throws {
    let bytes = Self.journal.bytes
    let other = JournalContents.opening(
      JournalHeader(Manifest(kind: .file, layout: Self.file.layout, root: .zero, suggestedName: ""), name: "x"))
    for opening in [opening([]), opening([1, 2]), opening(other), opening(bytes, isPartNew: true)] {
      #expect(opening.keptByteCount == 0 && opening.resume.claims.isEmpty && opening.resume.pages.isEmpty)
      let read = try #require(JournalContents(decoding: opening.appended))
      #expect(read.name == "other" && read.byteCount == opening.appended.count)
      #expect(read.checksum == opening.contents.checksum)
    }
  }

  @Test func `long files have a journal, unless their name is too long for it`() {
    var settings = JournalSettings()
    #expect(!JournalOpening.isNeeded(for: Self.manifest, name: "x", settings))
    settings.fileBytesWithoutJournalMax = Self.manifest.length
    #expect(!JournalOpening.isNeeded(for: Self.manifest, name: "x", settings))
    settings.fileBytesWithoutJournalMax -= 1
    #expect(JournalOpening.isNeeded(for: Self.manifest, name: "x", settings))
    #expect(!JournalOpening.isNeeded(for: Self.manifest, name: String(repeating: "x", count: 256), settings))
  }

  @Test func `leaves on the disk count only if they match their hashes, whatever the journal claims`() throws {
    let resume = try resume(try #require(JournalContents(decoding: Self.journal.bytes)))
    let pages = PageLayout(Self.file.layout, chunksPerPage: 2)
    let chunks = resume.chunks(of: Self.tree.page(PageIndex(0))!, in: pages)
    #expect(chunks.map(\.chunk) == [ChunkIndex(0), ChunkIndex(1)] && chunks.map(\.claimed) == [15, 15])
    let good = Self.leafHashes
    let bad = [Digest](repeating: .zero, count: 3) + [Self.leafHash]
    #expect(chunks[0].verifiedLeaves(good, in: Self.file.layout) == 15)
    #expect(chunks[0].verifiedLeaves(bad, in: Self.file.layout) == 0, "its leaves are not known one by one")
    let part = ChunkOnDisk(ChunkIndex(2), hash: Self.file.chunkHashes[2], leafHashes: good, claimed: 2)
    #expect(part.verifiedLeaves(bad, in: Self.file.layout) == 8)
  }

  @Test func `holes of a chunk are read if it has a claim, and gaps if its leaf hashes are known`() {
    let plain = ChunkOnDisk(ChunkIndex(0), hash: .zero)
    let hashed = ChunkOnDisk(ChunkIndex(0), hash: .zero, leafHashes: Self.leafHashes)
    let claimed = ChunkOnDisk(ChunkIndex(0), hash: .zero, claimed: 1)
    let presences = [DataPresence.none, .some, .all]
    #expect(presences.map(plain.isToBeRead) == [false, false, true])
    #expect(presences.map(hashed.isToBeRead) == [false, true, true])
    #expect(presences.map(claimed.isToBeRead) == [true, true, true])
  }

  @Test func `found leaves are held if the journal claims them, and are claimed otherwise`() {
    let chunks = [
      ChunkOnDisk(ChunkIndex(0), hash: .zero, leafHashes: Self.leafHashes, claimed: 6),
      ChunkOnDisk(ChunkIndex(1), hash: .zero),
    ]
    let events = JournalEvent.found([(ChunkIndex(0), 3), (ChunkIndex(1), 15)], among: chunks).map { "\($0)" }
    #expect(events.count == 3)
    #expect(events[0] == "\(JournalEvent.held(ChunkIndex(0), mask: 2))")
    #expect(events[1] == "\(JournalEvent.verified(ChunkIndex(0), mask: 1, leafHashes: Self.leafHashes))")
    #expect(events[2] == "\(JournalEvent.verified(ChunkIndex(1), mask: 15, leafHashes: nil))")
  }

  @Test func `a journal of another file gives nothing, and pages that do not lead to the root are dropped`() throws {
    let contents = try #require(JournalContents(decoding: Self.journal.bytes))
    let other = Manifest(kind: .file, layout: Self.file.layout, root: .zero, suggestedName: "")
    #expect(contents.resume(of: other) == nil)
    let header = JournalHeader(Self.manifest, name: "x")
    let page = HashPage(index: PageIndex(0), chunkHashes: [.zero, .zero], uncles: Self.tree.page(PageIndex(0))!.uncles)
    let lie = JournalBatch.encoded([.page(page)], after: JournalContents(header).checksum).bytes
    let read = try #require(JournalContents(decoding: JournalContents.opening(header) + lie))
    #expect(try resume(read).pages.isEmpty)
  }

  @Test func `claims of chunks or leaves beyond the file are ignored`() throws {
    let header = JournalHeader(Self.manifest, name: "x")
    let records: [JournalRecord] = [
      .leaves(first: ChunkIndex(.max), count: .max, mask: .max), .leaves(first: ChunkIndex(4), count: .max, mask: .max),
    ]
    let batch = JournalBatch.encoded(records, after: JournalContents(header).checksum).bytes
    let read = try #require(JournalContents(decoding: JournalContents.opening(header) + batch))
    #expect(try resume(read).claims == [ChunkIndex(4): 3])
  }

  @Test(arguments: ["", ".", "..", "a/b", "a\0b", String(repeating: "x", count: 256)])
  func `a name that is not one path component is refused`(name: String) {
    #expect(!JournalHeader.isComponent(name))
    #expect(JournalHeader.isComponent("x" + String(name.prefix(3).filter { $0 != "/" && $0 != "\0" })))
  }
}
