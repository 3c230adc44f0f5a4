// What the journal of a folder's contents claims, and how a later download uses it.
import Content
import Testing

@testable import Transfer

@Suite struct FolderJournalTests {
  /// Chunk 0: 64 files of one leaf. Chunk 1: a file of two leaves.
  private let folder: FolderLayout
  private var layout: ChunkLayout { ChunkLayout(folder) }
  private var manifest: Manifest {
    Manifest(kind: .folderContents, layout: layout, root: folder.listingRoot, suggestedName: "")
  }

  init() throws { folder = try someFolder(Array(repeating: 9, count: 64) + [20_000]) }

  /// The journal after a sync of verified leaves, without any leaf hashes.
  private func journal(of leaves: [(chunk: UInt32, mask: UInt64)]) -> JournalContents? {
    let header = JournalHeader(manifest, name: "out")
    var bytes = JournalContents.opening(header)
    var state = JournalState(after: JournalContents(header), in: layout)
    for (chunk, mask) in leaves {
      state.handle(.verified(ChunkIndex(chunk), mask: mask, leafHashes: nil), at: .zero)
    }
    state.handle(.stopped, at: .zero)
    while let action = state.nextAction() {
      switch action {
      case .append(let batch): bytes += batch
      case .syncData: state.handle(.dataSynced, at: .zero)
      case .syncJournal: state.handle(.journalSynced, at: .zero)
      default: break
      }
    }
    #expect(state.isOver)
    return JournalContents(decoding: bytes)
  }

  @Test func `leaves that are whole files are claimed one by one`() throws {
    let contents = try #require(journal(of: [(0, 0b1011), (1, 0b01)]))
    #expect(contents.claims(in: layout) == [ChunkIndex(0): 0b1011], "a leaf of two needs its hash")
    let resume = try #require(contents.resume(of: manifest))
    let shared = resume.sharedChunks(of: folder, from: 0)
    #expect(shared.map(\.chunk) == [ChunkIndex(0), ChunkIndex(1)] && shared.map(\.claimed) == [0b1011, 0])
    #expect(shared[0].leafHashes == folder.knownLeafHashes(of: ChunkIndex(0)) && shared[1].leafHashes == nil)
    #expect(shared.map(\.hash) == [0, 1].map { folder.knownHash(of: ChunkIndex($0)) })
  }

  @Test func `leaves found on the disk are claimed only if the journal had no claim of them`() throws {
    let resume = try #require(journal(of: [(0, 0b1011)])?.resume(of: manifest))
    let events = JournalEvent.found([(ChunkIndex(0), 0b1111)], among: resume.sharedChunks(of: folder, from: 0))
    let masks = events.map { event in
      switch event {
      case .held(_, let mask): "held \(mask)"
      case .verified(_, let mask, let hashes): "verified \(mask) \(hashes?.count ?? 0)"
      default: "other"
      }
    }
    #expect(masks == ["held 11", "verified 4 64"])
  }

  @Test func `a journal belongs to contents of one kind`() throws {
    let contents = try #require(journal(of: [(0, .max)]))
    let length = folder.listing.contentsLength
    let file = Manifest(
      kind: .file, layout: try #require(ChunkLayout(fileLength: length)), root: folder.listingRoot, suggestedName: "")
    #expect(contents.resume(of: file) == nil)
    let other = try someFolder(Array(repeating: 8, count: 64) + [20_064])
    #expect(other.listing.contentsLength == length)
    #expect(
      contents.resume(
        of: Manifest(
          kind: .folderContents, layout: ChunkLayout(other), root: other.listingRoot, suggestedName: "")) == nil)
  }

  @Test func `a file of one leaf is offered to others before its chunk is complete`() {
    var held = LocalAvailability(layout)
    held.add(0b100, of: ChunkIndex(0))
    held.add(0b01, of: ChunkIndex(1))
    #expect(held.offers(LeafRange(first: 2, count: 1), of: ChunkIndex(0)))
    #expect(held.unfinished(ChunkIndex(0))?.leafHashes == folder.knownLeafHashes(of: ChunkIndex(0)))
    #expect(!held.offers(LeafRange(first: 0, count: 1), of: ChunkIndex(1)), "its leaf hashes are unknown")
    #expect(held.takeNews(at: .zero).map(\.chunk) == [ChunkIndex(0)])
  }

  @Test func `shared chunks are compared with the disk a few at a time`() throws {
    let many = try someFolder(Array(repeating: 9, count: 64 * 2_500))
    let resume = JournalResume()
    var found: [ChunkIndex] = []
    var counts: [Int] = []
    while found.count < many.sharedChunks.count {
      let chunks = resume.sharedChunks(of: many, from: found.count)
      counts.append(chunks.count)
      found += chunks.map(\.chunk)
    }
    #expect(counts == [1_024, 1_024, 452] && found == Array(many.sharedChunks))
    #expect(resume.sharedChunks(of: many, from: found.count).isEmpty)
    #expect(resume.sharedChunks(of: many, from: 2_499, countMax: 7).map(\.chunk) == [ChunkIndex(2_499)])
  }
}
