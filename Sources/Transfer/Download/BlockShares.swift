// How many blocks of file bytes each download of a node may hold, so that a stalled output starves no other download.

/// Divides a number of blocks among downloads. A single download may hold all. Of n downloads each may hold an n-th,
/// but at least `blocksMin`. Once all blocks are held, only downloads that hold few get more.
///
/// Connections hold blocks while bytes arrive, and the output holds them until they are verified and written. A
/// download may always take one more while its output holds none: otherwise its slow peers could hold all of its
/// blocks, and its fast peers would get none. In that case the number of its connections bounds the blocks.
public struct BlockShares: Sendable {
  /// How many blocks any download may hold: 256 KiB, enough to keep one thread busy.
  public static let blocksMin = 4
  /// While all blocks are held, downloads share a reserve of this part of them: a quarter.
  static let reserveDivisor = 4

  private struct Share: Sendable {
    var held = 0
    var isOpen = true
    /// Whether the download was refused a block, and waits for `giveBack` to return true.
    var isAwaited = false
  }

  /// How many blocks all downloads together may hold, apart from the reserve.
  public let limit: Int
  private var shares: [DownloadID: Share] = [:]
  private var openCount = 0
  /// How many blocks were taken and not given back.
  public private(set) var heldCount = 0

  /// - `limit`: at least 1.
  public init(limit: Int) {
    precondition(limit >= 1, "a download needs blocks")
    self.limit = limit
  }

  /// Enters a download that begins.
  public mutating func open(_ download: DownloadID) {
    guard shares[download] == nil else { return }
    shares[download] = Share()
    openCount += 1
  }

  /// Notes that a download has ended. It may take no more blocks, and gives back the rest as its connections end.
  public mutating func close(_ download: DownloadID) {
    guard let share = shares[download], share.isOpen else { return }
    openCount -= 1
    shares[download] = share.held == 0 ? nil : Share(held: share.held, isOpen: false)
  }

  /// Returns how many blocks a download holds.
  public func held(by download: DownloadID) -> Int { shares[download]?.held ?? 0 }

  /// How many blocks a download may hold now.
  private var allowance: Int {
    let count = max(1, openCount)
    let blocks = heldCount < limit ? limit / count : limit / BlockShares.reserveDivisor / count
    return min(limit, max(BlockShares.blocksMin, blocks))
  }

  /// Takes a block. False if the download may not take one now; then a later `giveBack` returns true.
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

  /// Takes a block regardless of the limits, for a frame whose first block was taken already.
  public mutating func takeBeyondLimit(_ download: DownloadID) {
    shares[download, default: Share(isOpen: false)].held += 1
    heldCount += 1
  }

  /// Gives a block back. Returns true once if the download was refused a block and may take a few now.
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
