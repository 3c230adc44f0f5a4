// Which pages of chunk hashes are verified, which are requested, and which one is wanted next.
import Content

/// Every page is in exactly one state: wanted, being fetched, being compared with the disk (`arrived` or `held`),
/// resting after a lost round, verified, or not needed (all its chunks are complete).
struct PageTable: Sendable {
  private let pages: PageLayout
  private var wanted: ChunkSet
  /// At most this many connections are asked for one page at the same time.
  static let askersMax = 2

  /// By page, the connections that are asked for it.
  private var fetching: [PageIndex: [ConnectionID]] = [:]
  /// Pages whose chunks are being compared with the disk: `arrived` from a peer, or `held` since an earlier download.
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
  /// How many pages are requested, or have arrived and are not verified.
  var fetchingCount: Int { fetching.count + arrived.count }
  /// Whether chunks are being compared with the disk.
  var isComparing: Bool { !arrived.isEmpty || !held.isEmpty || isComparingShared }
  var isAnyWanted: Bool { wanted.count > 0 }
  func isWanted(_ page: PageIndex) -> Bool { wanted.contains(Int(page.rawValue)) }
  func askerCount(of page: PageIndex) -> Int { fetching[page]?.count ?? 0 }
  /// Returns the page of a chunk. Nil if the chunk's hash is known without a page.
  func page(of chunk: ChunkIndex) -> PageIndex? { pages.page(of: chunk) }
  func chunks(of page: PageIndex) -> Range<Int> { pages.chunks(of: page) }
  func contains(_ page: PageIndex) -> Bool { Int(page.rawValue) < verified.capacity }
  func isVerified(_ page: PageIndex) -> Bool { verified.contains(Int(page.rawValue)) }

  /// Returns the first wanted page that covers a chunk of the peer and that the peer may be asked for.
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

  /// Notes that a page arrived. No peer is asked for it any more.
  mutating func arrive(_ page: PageIndex) {
    wanted.remove(Int(page.rawValue))
    fetching[page] = nil
    arrived.insert(page)
  }

  /// Notes that an earlier download left a page. No peer is asked for it.
  mutating func hold(_ page: PageIndex) {
    wanted.remove(Int(page.rawValue))
    held.insert(page)
  }

  mutating func compareSharedChunks() { isComparingShared = true }
  mutating func sharedChunksCompared() { isComparingShared = false }

  /// Notes that a page is verified. False if it was verified before.
  mutating func verify(_ page: PageIndex) -> Bool {
    wanted.remove(Int(page.rawValue))
    fetching[page] = nil
    arrived.remove(page)
    held.remove(page)
    resting.remove(page)
    return verified.insert(Int(page.rawValue))
  }

  /// Notes that a page is no longer due on a connection. If it is due on no other connection, it is wanted again.
  mutating func drop(_ page: PageIndex, from connection: ConnectionID) {
    guard var askers = fetching[page], let place = askers.firstIndex(of: connection) else { return }
    askers.remove(at: place)
    fetching[page] = askers.isEmpty ? nil : askers
    if askers.isEmpty { wanted.insert(Int(page.rawValue)) }
  }

  /// Marks a wanted page as waiting in the retry queue.
  mutating func rest(_ page: PageIndex) { if wanted.remove(Int(page.rawValue)) { resting.insert(page) } }

  /// Ends the wait of a page in the retry queue.
  mutating func wake(_ page: PageIndex) { if resting.remove(page) != nil { wanted.insert(Int(page.rawValue)) } }

  /// Notes that a page is not needed, because all its chunks are complete.
  mutating func dismiss(_ page: PageIndex) {
    wanted.remove(Int(page.rawValue))
    resting.remove(page)
  }
}
