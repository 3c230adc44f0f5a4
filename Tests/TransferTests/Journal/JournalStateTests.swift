// When a journal syncs and what it claims then, on virtual time.
import Content
import Testing

@testable import Transfer

@Suite struct `The sync of a journal` {
  static let layout = ChunkLayout(fileLength: 200 << 20 | 5)!
  static let header = JournalHeader(
    Manifest(kind: .file, layout: layout, root: .zero, suggestedName: ""), name: "out")
  static let hashes = [Digest](repeating: .zero, count: 64)

  private var state = JournalState(after: JournalContents(header), in: layout)
  private var bytes = JournalContents.opening(header)

  private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

  private mutating func verify(_ chunks: Range<UInt32>, mask: UInt64 = .max, at seconds: Double = 0) {
    for chunk in chunks {
      state.handle(.verified(ChunkIndex(chunk), mask: mask, leafHashes: Self.hashes), at: at(seconds))
    }
  }

  /// Takes the due actions and stores appended batches.
  private mutating func actions() -> [String] {
    var names: [String] = []
    while let action = state.nextAction() {
      switch action {
      case .syncData: names.append("data")
      case .append(let batch):
        names.append("append")
        bytes += batch
      case .syncJournal: names.append("journal")
      case .place: names.append("place")
      case .syncFolder: names.append("folder")
      case .removeJournal: names.append("remove")
      }
    }
    return names
  }

  private var claims: [ChunkIndex: UInt64] { JournalContents(decoding: bytes)!.claims(in: Self.layout) }

  @Test mutating func `a sync starts at 64 MiB of unsynced leaves and not at one byte less`() {
    verify(0..<63)
    verify(63..<64, mask: .max >> 1)
    #expect(state.unsyncedBytes == 64 << 20 - 16384)
    #expect(actions() == [])
    verify(63..<64, mask: 1 << 63)
    #expect(actions() == ["data"])
    #expect(state.unsyncedBytes == 0)
  }

  @Test mutating func `a sync starts 5 s after the first unsynced leaf and not 1 ns earlier`() {
    #expect(state.deadline == nil)
    verify(0..<1, at: 1)
    verify(1..<2, at: 3)
    #expect(state.deadline == at(6))
    state.handle(.timerFired, at: Instant(nanoseconds: 5_999_999_999))
    #expect(actions() == [])
    state.handle(.timerFired, at: at(6))
    #expect(actions() == ["data"])
    #expect(state.deadline == nil)
  }

  @Test mutating func `the data is synced first, then the claim is appended, then the journal is synced`() {
    verify(0..<64)
    #expect(actions() == ["data"])
    #expect(claims.isEmpty)
    state.handle(.dataSynced, at: at(1))
    #expect(actions() == ["append", "journal"])
    #expect(claims.count == 64 && claims.values.allSatisfy { $0 == .max })
    state.handle(.journalSynced, at: at(2))
    #expect(actions() == [])
    #expect(state.deadline == nil)
  }

  @Test mutating func `leaves that are verified during a data sync are not claimed by it`() {
    verify(0..<64)
    #expect(actions() == ["data"])
    verify(64..<70, at: 0.5)
    state.handle(.dataSynced, at: at(1))
    _ = actions()
    #expect(claims.count == 64 && claims[ChunkIndex(64)] == nil)
    #expect(state.deadline == nil, "one sync at a time")
    state.handle(.journalSynced, at: at(2))
    #expect(state.deadline == at(5.5))
    state.handle(.timerFired, at: at(5.5))
    #expect(actions() == ["data"])
    state.handle(.dataSynced, at: at(6))
    _ = actions()
    #expect(claims.count == 70)
  }

  @Test mutating func `leaves that are due when a sync ends are synced at once`() {
    verify(0..<64)
    _ = actions()
    verify(64..<200)
    #expect(actions() == [])
    state.handle(.dataSynced, at: at(60))
    #expect(actions() == ["append", "journal"])
    state.handle(.journalSynced, at: at(61))
    #expect(actions() == ["data"])
  }

  @Test mutating func `leaves that are verified twice count once`() {
    for _ in 0..<3 { verify(0..<63) }
    #expect(state.unsyncedBytes == 63 << 20)
    verify(63..<64)
    _ = actions()
    state.handle(.dataSynced, at: at(1))
    state.handle(.journalSynced, at: at(1))
    _ = actions()
    verify(0..<64, at: 2)
    #expect(state.unsyncedBytes == 0 && state.deadline == nil)
  }

  @Test mutating func `an unfinished chunk is claimed once with the hashes of its leaves`() throws {
    verify(0..<1, mask: 1)
    state.handle(.timerFired, at: at(5))
    state.handle(.dataSynced, at: at(5))
    state.handle(.journalSynced, at: at(5))
    _ = actions()
    #expect(claims == [ChunkIndex(0): 1])
    #expect(JournalContents(decoding: bytes)?.leafHashes == [ChunkIndex(0): Self.hashes])
    let before = bytes.count
    verify(0..<1, mask: 2, at: 6)
    state.handle(.timerFired, at: at(11))
    state.handle(.dataSynced, at: at(11))
    state.handle(.journalSynced, at: at(11))
    _ = actions()
    #expect(claims == [ChunkIndex(0): 3])
    #expect(bytes.count - before < 100)
  }

  @Test mutating func `a leaf is not claimed before its hash is known`() {
    state.handle(.verified(ChunkIndex(0), mask: 2, leafHashes: nil), at: at(0))
    state.handle(.timerFired, at: at(5))
    state.handle(.dataSynced, at: at(5))
    #expect(actions() == ["data"])
    #expect(claims.isEmpty)
    verify(0..<1, mask: 1, at: 6)
    state.handle(.timerFired, at: at(10))
    state.handle(.dataSynced, at: at(10))
    #expect(actions() == ["data", "append", "journal"])
    #expect(claims == [ChunkIndex(0): 3])
  }

  @Test mutating func `no claim follows a failed sync`() {
    verify(0..<64)
    _ = actions()
    state.handle(.failed, at: at(1))
    verify(64..<200, at: 2)
    state.handle(.dataSynced, at: at(100))
    state.handle(.timerFired, at: at(200))
    #expect(actions() == [] && state.deadline == nil)
    #expect(claims.isEmpty)
  }

  @Test mutating func `a sync that ends without a start and a chunk beyond the file change nothing`() {
    state.handle(.dataSynced, at: at(1))
    state.handle(.journalSynced, at: at(1))
    verify(201..<300)
    state.handle(.held(ChunkIndex(999), mask: .max), at: at(1))
    #expect(actions() == [] && state.unsyncedBytes == 0 && state.deadline == nil)
  }

  @Test mutating func `the short last chunk counts its own bytes and is complete with its own leaves`() {
    verify(200..<201)
    #expect(state.unsyncedBytes == 5)
    state.handle(.timerFired, at: at(5))
    state.handle(.dataSynced, at: at(5))
    _ = actions()
    #expect(claims == [ChunkIndex(200): 1])
    #expect(JournalContents(decoding: bytes)?.leafHashes == [:])
  }

  @Test mutating func `pages are written once, with the next claims`() throws {
    let page = HashPage(index: PageIndex(0), chunkHashes: [.zero], uncles: [])
    for _ in 0..<2 { state.handle(.page(page), at: at(0)) }
    #expect(state.deadline == nil, "they can be fetched again: no reason for a sync")
    verify(0..<64, at: 1)
    state.handle(.dataSynced, at: at(1))
    state.handle(.journalSynced, at: at(1))
    _ = actions()
    #expect(JournalContents(decoding: bytes)?.pages == [PageIndex(0): page])
    let before = bytes.count
    let contents = try #require(JournalContents(decoding: bytes))
    state = JournalState(after: contents, in: Self.layout)
    state.handle(.page(page), at: at(2))
    verify(64..<128, at: 2)
    state.handle(.dataSynced, at: at(2))
    _ = actions()
    #expect(bytes.count - before < 100)
    #expect(claims.count == 128, "it goes on where it ended")
  }

  @Test mutating func `after a resume only leaves found on the disk count as claimed`() {
    state.handle(.held(ChunkIndex(0), mask: .max), at: at(0))
    state.handle(.held(ChunkIndex(1), mask: 1), at: at(0))
    #expect(state.deadline == nil)
    verify(0..<2, at: 1)
    #expect(state.unsyncedBytes == 1 << 20 - 16384)
    state.handle(.timerFired, at: at(6))
    state.handle(.dataSynced, at: at(6))
    _ = actions()
    #expect(claims == [ChunkIndex(1): UInt64.max - 1])
  }

  @Test mutating func `on completion come the data sync, the name, the folder sync and the end of the journal`() {
    verify(0..<10)
    state.handle(.completed, at: at(1))
    #expect(actions() == ["data"] && state.deadline == nil && !state.isOver)
    state.handle(.dataSynced, at: at(2))
    #expect(actions() == ["place", "folder", "remove"] && !state.isOver)
    state.handle(.placed, at: at(3))
    #expect(actions() == [] && state.isOver)
  }

  @Test(arguments: [false, true])
  mutating func `leaves verified during a sync are synced before a complete file gets its name`(isClaimed: Bool) {
    verify(0..<64)
    #expect(actions() == ["data"])
    if isClaimed {
      state.handle(.dataSynced, at: at(1))
      #expect(actions() == ["append", "journal"])
    }
    state.handle(.completed, at: at(1))
    #expect(actions() == [])
    state.handle(isClaimed ? .journalSynced : .dataSynced, at: at(2))
    #expect(actions() == ["data"])
    state.handle(.dataSynced, at: at(3))
    #expect(actions() == ["place", "folder", "remove"])
  }

  @Test mutating func `without a journal only the completion is performed`() {
    state = JournalState(after: nil, in: Self.layout)
    state.handle(.held(ChunkIndex(0), mask: 1), at: at(0))
    verify(0..<200)
    #expect(actions() == [] && state.deadline == nil)
    var stopped = state
    stopped.handle(.stopped, at: at(1))
    #expect(stopped.nextAction() == nil && stopped.isOver)
    state.handle(.completed, at: at(1))
    state.handle(.dataSynced, at: at(2))
    #expect(actions() == ["data", "place", "folder", "remove"])
  }

  @Test mutating func `on a stop verified leaves are claimed at once, and leaves that came during a sync after it`() {
    verify(0..<64)
    verify(64..<65, mask: 3)
    state.handle(.stopped, at: at(1))
    #expect(actions() == ["data"])
    state.handle(.dataSynced, at: at(2))
    state.handle(.journalSynced, at: at(2))
    #expect(actions() == ["append", "journal", "data"] && !state.isOver)
    state.handle(.dataSynced, at: at(3))
    state.handle(.journalSynced, at: at(3))
    #expect(actions() == ["append", "journal"] && state.isOver)
    #expect(claims.count == 65 && claims[ChunkIndex(64)] == 3)
  }

  @Test mutating func `a stop does not wait for leaves whose hashes are unknown`() {
    state.handle(.verified(ChunkIndex(0), mask: 2, leafHashes: nil), at: at(0))
    state.handle(.stopped, at: at(1))
    #expect(actions() == ["data"])
    state.handle(.dataSynced, at: at(2))
    #expect(actions() == [] && state.isOver)
  }

  @Test mutating func `a stop syncs the claims of an earlier process, which may not have been synced`() throws {
    verify(0..<1, mask: 1)
    state.handle(.timerFired, at: at(5))
    state.handle(.dataSynced, at: at(5))
    _ = actions()
    let contents = try #require(JournalContents(decoding: bytes))
    state = JournalState(after: contents, in: Self.layout)
    state.handle(.held(ChunkIndex(0), mask: 1), at: at(6))
    state.handle(.stopped, at: at(7))
    #expect(actions() == ["journal"])
    state.handle(.journalSynced, at: at(8))
    #expect(actions() == [] && state.isOver)
  }

  @Test(arguments: [JournalEvent.completed, .stopped])
  mutating func `after a failure neither completion nor stop performs anything`(end: JournalEvent) {
    verify(0..<64)
    _ = actions()
    state.handle(.failed, at: at(1))
    #expect(state.isOver)
    state.handle(end, at: at(2))
    #expect(actions() == [])
  }
}
