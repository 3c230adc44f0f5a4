// Which pages of chunk hashes are verified, which are asked for, and which is wanted next.
import Content

/// Every page is exactly one of: wanted, being fetched, verified, or not needed (all its chunks are had).
struct PageTable: Sendable {
  let layout: ChunkLayout
  let chunksPerPage: Int
  private var wanted: ChunkSet
  private var fetching: [PageIndex: ConnectionID] = [:]
  private var verified: ChunkSet
  private var failures: [PageIndex: Int] = [:]

  init(layout: ChunkLayout, chunksPerPage: Int) {
    self.layout = layout
    self.chunksPerPage = chunksPerPage
    let pages = (layout.chunkCount + chunksPerPage - 1) / chunksPerPage
    wanted = .full(capacity: pages)
    verified = ChunkSet(capacity: pages)
  }

  var fetchingCount: Int { fetching.count }
  var isAnyWanted: Bool { wanted.count > 0 }
  func page(of chunk: ChunkIndex) -> PageIndex { PageIndex(chunk.rawValue / UInt32(chunksPerPage)) }
  func chunks(of page: PageIndex) -> Range<Int> {
    let first = Int(page.rawValue) * chunksPerPage
    return first..<min(first + chunksPerPage, layout.chunkCount)
  }
  func contains(_ page: PageIndex) -> Bool { Int(page.rawValue) < verified.capacity }
  func isVerified(_ page: PageIndex) -> Bool { verified.contains(Int(page.rawValue)) }

  /// The first wanted page that covers a chunk which the peer has.
  func next(for holdings: Holdings) -> PageIndex? {
    var page = wanted.first(from: 0)
    while let candidate = page {
      guard let chunk = holdings.first(from: candidate * chunksPerPage, layout: layout) else { return nil }
      if chunk / chunksPerPage == candidate { return PageIndex(UInt32(candidate)) }
      page = wanted.first(from: chunk / chunksPerPage)
    }
    return nil
  }

  mutating func fetch(_ page: PageIndex, from connection: ConnectionID) {
    wanted.remove(Int(page.rawValue))
    fetching[page] = connection
  }

  /// False where it was verified before.
  mutating func verify(_ page: PageIndex) -> Bool {
    wanted.remove(Int(page.rawValue))
    fetching[page] = nil
    failures[page] = nil
    return verified.insert(Int(page.rawValue))
  }

  /// Wanted again. Returns how often it failed, where this counts as a failure.
  mutating func drop(_ page: PageIndex, isFailure: Bool) -> Int {
    guard fetching.removeValue(forKey: page) != nil else { return 0 }
    wanted.insert(Int(page.rawValue))
    if isFailure { failures[page, default: 0] += 1 }
    return failures[page] ?? 0
  }

  /// All its chunks are had: it is not needed.
  mutating func dismiss(_ page: PageIndex) { wanted.remove(Int(page.rawValue)) }
}
