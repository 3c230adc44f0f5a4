// Which pages of chunk hashes are verified, which are asked for, and which is wanted next.
import Content

/// Every page is in exactly one state: wanted, being fetched, at hand while its chunks are compared with the disk,
/// resting after a lost round, verified, or not needed (all its chunks are complete).
struct PageTable: Sendable {
  private let pages: PageLayout
  private var wanted: ChunkSet
  /// At most this many connections are asked for one page at the same time.
  static let askersMax = 2

  /// By page, the connections that are asked for it.
  private var fetching: [PageIndex: [ConnectionID]] = [:]
  /// Pages of peers, and of an earlier download, whose chunks are being compared with the disk.
  private var arrived: Set<PageIndex> = []
  private var held: Set<PageIndex> = []
  private var resting: Set<PageIndex> = []
  private var verified: ChunkSet
  /// Whether the chunks that files share, whose hashes are known without a page, are being compared with the disk.
  private var isComparingShared = false

  init(_ pages: PageLayout) {
    self.pages = pages
    wanted = .full(capacity: pages.pageCount)
    verified = ChunkSet(capacity: pages.pageCount)
  }

  var count: Int { pages.pageCount }
  /// Pages that are asked for, and those of them that have arrived and are not verified.
  var fetchingCount: Int { fetching.count + arrived.count }
  /// Whether chunks are being compared with the disk.
  var isComparing: Bool { !arrived.isEmpty || !held.isEmpty || isComparingShared }
  var isAnyWanted: Bool { wanted.count > 0 }
  func isWanted(_ page: PageIndex) -> Bool { wanted.contains(Int(page.rawValue)) }
  func askerCount(of page: PageIndex) -> Int { fetching[page]?.count ?? 0 }
  /// Nil: the chunk's hash is known without a page.
  func page(of chunk: ChunkIndex) -> PageIndex? { pages.page(of: chunk) }
  func chunks(of page: PageIndex) -> Range<Int> { pages.chunks(of: page) }
  func contains(_ page: PageIndex) -> Bool { Int(page.rawValue) < verified.capacity }
  func isVerified(_ page: PageIndex) -> Bool { verified.contains(Int(page.rawValue)) }

  /// The first wanted page that covers a chunk of the peer and that the peer may be asked for.
  func next(for availability: RemoteAvailability, where mayAsk: (PageIndex) -> Bool) -> PageIndex? {
    var page = wanted.first(from: 0)
    while let candidate = page {
      let chunks = pages.chunks(of: PageIndex(UInt32(candidate)))
      guard let chunk = availability.first(from: chunks.lowerBound, layout: pages.layout) else { return nil }
      if chunk >= chunks.upperBound {
        // Pages are in the order of their chunks.
        page = self.page(of: ChunkIndex(UInt32(chunk))).flatMap { wanted.first(from: Int($0.rawValue)) }
      } else if mayAsk(PageIndex(UInt32(candidate))) {
        return PageIndex(UInt32(candidate))
      } else {
        page = wanted.first(from: candidate + 1)
      }
    }
    return nil
  }

  mutating func fetch(_ page: PageIndex, from connection: ConnectionID) {
    wanted.remove(Int(page.rawValue))
    fetching[page, default: []].append(connection)
    precondition(askerCount(of: page) <= PageTable.askersMax, "too many askers")
  }

  /// A page arrived: no peer is asked for it any more.
  mutating func arrive(_ page: PageIndex) {
    wanted.remove(Int(page.rawValue))
    fetching[page] = nil
    arrived.insert(page)
  }

  /// An earlier download left a page: no peer is asked for it.
  mutating func hold(_ page: PageIndex) {
    wanted.remove(Int(page.rawValue))
    held.insert(page)
  }

  mutating func compareSharedChunks() { isComparingShared = true }
  mutating func sharedChunksCompared() { isComparingShared = false }

  /// The page is verified. False if it was verified before.
  mutating func verify(_ page: PageIndex) -> Bool {
    wanted.remove(Int(page.rawValue))
    fetching[page] = nil
    arrived.remove(page)
    held.remove(page)
    resting.remove(page)
    return verified.insert(Int(page.rawValue))
  }

  /// A connection no longer owes the page. If no other one does, the page is wanted again.
  mutating func drop(_ page: PageIndex, from connection: ConnectionID) {
    guard var askers = fetching[page], let place = askers.firstIndex(of: connection) else { return }
    askers.remove(at: place)
    fetching[page] = askers.isEmpty ? nil : askers
    if askers.isEmpty { wanted.insert(Int(page.rawValue)) }
  }

  /// A wanted page waits in the retry queue.
  mutating func rest(_ page: PageIndex) { if wanted.remove(Int(page.rawValue)) { resting.insert(page) } }

  /// The wait in the retry queue is over.
  mutating func wake(_ page: PageIndex) { if resting.remove(page) != nil { wanted.insert(Int(page.rawValue)) } }

  /// All chunks of the page are complete: the page is not needed.
  mutating func dismiss(_ page: PageIndex) {
    wanted.remove(Int(page.rawValue))
    resting.remove(page)
  }
}
