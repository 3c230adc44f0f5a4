// How many blocks of file bytes each download of a node may hold: a stalled output starves no other download.

/// Divides a number of blocks among downloads. With one download that one may hold all. With n downloads each may hold an
/// n-th of all, and never fewer than `blocksMin`; once all blocks are held, only downloads that hold little get more.
///
/// Connections hold blocks while bytes arrive, and the output holds them until they are verified and written. A download
/// may always take one more while its output holds none. Otherwise its slow peers could hold all of its blocks, and its fast
/// peers would get none. Then the number of its connections is the bound.
public struct BlockShares: Sendable {
  /// Blocks that any download may hold: 256 KiB, enough to keep one thread busy.
  public static let blocksMin = 4
  /// The part of all blocks that downloads share as a reserve while other downloads hold all: a quarter.
  static let reserveDivisor = 4

  private struct Share: Sendable {
    var held = 0
    var isOpen = true
    /// It was refused a block, and wants to be told.
    var isAwaited = false
  }

  /// Blocks of all downloads together, apart from the reserve.
  public let limit: Int
  private var shares: [DownloadID: Share] = [:]
  private var openCount = 0
  /// Blocks that were taken and not given back.
  public private(set) var heldCount = 0

  /// - `limit`: at least 1.
  public init(limit: Int) {
    precondition(limit >= 1, "a download needs blocks")
    self.limit = limit
  }

  /// A download begins.
  public mutating func open(_ download: DownloadID) {
    guard shares[download] == nil else { return }
    shares[download] = Share()
    openCount += 1
  }

  /// A download has ended: it may take no more, and gives back the rest as its connections end.
  public mutating func close(_ download: DownloadID) {
    guard let share = shares[download], share.isOpen else { return }
    openCount -= 1
    shares[download] = share.held == 0 ? nil : Share(held: share.held, isOpen: false)
  }

  /// Blocks that a download holds.
  public func held(by download: DownloadID) -> Int { shares[download]?.held ?? 0 }

  /// Blocks that a download may hold now.
  private var allowance: Int {
    let count = max(1, openCount)
    let blocks = heldCount < limit ? limit / count : limit / BlockShares.reserveDivisor / count
    return min(limit, max(BlockShares.blocksMin, blocks))
  }

  /// False: the download may take no block now. Then `giveBack` says when it may.
  /// - `isOutputIdle`: whether none of its blocks waits for its output.
  public mutating func take(_ download: DownloadID, isOutputIdle: Bool) -> Bool {
    guard var share = shares[download], share.isOpen else { return false }
    if share.held < allowance || isOutputIdle {
      share.held += 1
      heldCount += 1
      shares[download] = share
      return true
    }
    share.isAwaited = true
    shares[download] = share
    return false
  }

  /// Takes a block whatever the limits say: for a frame whose start was taken already.
  public mutating func takeBeyondLimit(_ download: DownloadID) {
    shares[download, default: Share(isOpen: false)].held += 1
    heldCount += 1
  }

  /// A block comes back. True: the download was refused one, and may take a few now; said once.
  /// - `isOutputIdle`: whether none of its blocks waits for its output any more.
  public mutating func giveBack(_ download: DownloadID, isOutputIdle: Bool) -> Bool {
    guard var share = shares[download], share.held > 0 else { preconditionFailure("a block comes back once") }
    share.held -= 1
    heldCount -= 1
    // A quarter, so that the loops are not woken for every single block.
    let isRoomy = share.held <= allowance - max(1, allowance / 4)
    let wakes = share.isOpen && share.isAwaited && (isRoomy || isOutputIdle)
    if wakes { share.isAwaited = false }
    shares[download] = share.isOpen || share.held > 0 ? share : nil
    return wakes
  }
}
