// The supply of blocks, which bounds the memory of all downloads of a node.
import Posix
import Synchronization
import Transfer

/// A bounded supply of blocks: downloads hold no more data in memory, however much their peers send.
final class BlockPool: Sendable {
  private struct State {
    var shares: BlockShares
    var free: [Block] = []
  }

  private let state: Mutex<State>

  /// - `limit`: blocks of 64 KiB for all downloads together.
  init(limit: Int) { state = Mutex(State(shares: BlockShares(limit: limit))) }

  fileprivate func open(_ download: DownloadID) { state.withLock { $0.shares.open(download) } }
  fileprivate func close(_ download: DownloadID) { state.withLock { $0.shares.close(download) } }
  fileprivate func held(by download: DownloadID) -> Int { state.withLock { $0.shares.held(by: download) } }

  fileprivate func take(_ download: DownloadID, _ waitingCount: borrowing Atomic<Int>) -> Block? {
    state.withLock { state in
      let isIdle = waitingCount.load(ordering: .acquiring) == 0
      guard state.shares.take(download, isOutputIdle: isIdle) else { return nil }
      return state.free.popLast() ?? Block()
    }
  }

  fileprivate func takeBeyondLimit(_ download: DownloadID) -> Block {
    state.withLock { state in
      state.shares.takeBeyondLimit(download)
      return state.free.popLast() ?? Block()
    }
  }

  /// True: the download was refused a block, and may take some now.
  fileprivate func giveBack(_ block: Block, _ download: DownloadID, _ waitingCount: borrowing Atomic<Int>) -> Bool {
    block.empty()
    return state.withLock { state in
      let isIdle = waitingCount.load(ordering: .acquiring) == 0
      let wakes = state.shares.giveBack(download, isOutputIdle: isIdle)
      // Blocks that were made beyond the limit do not stay.
      if state.shares.heldCount + state.free.count < state.shares.limit { state.free.append(block) }
      return wakes
    }
  }
}

/// The blocks of one download. Any thread may use it.
final class DownloadBlocks: Sendable {
  private let pool: BlockPool
  private let download: DownloadID
  /// Blocks that wait to be verified and written.
  private let waitingCount = Atomic<Int>(0)
  /// Called, on the thread that gave a block back, when `take` may succeed again after it had none.
  private let onAvailable: @Sendable () -> Void

  init(_ pool: BlockPool, of download: DownloadID, onAvailable: @escaping @Sendable () -> Void) {
    self.pool = pool
    self.download = download
    self.onAvailable = onAvailable
    pool.open(download)
  }

  /// Blocks that were taken and not given back.
  var inUseCount: Int { pool.held(by: download) }

  /// A block, or nil when the download may hold no more; then `onAvailable` is called once it may.
  func take() -> Block? { pool.take(download, waitingCount) }

  /// A block even if the download may hold no more: for a frame whose start was taken already.
  func takeBeyondLimit() -> Block { pool.takeBeyondLimit(download) }

  func giveBack(_ block: Block) { if pool.giveBack(block, download, waitingCount) { onAvailable() } }

  /// Blocks go to the threads that verify. Each comes back by `verified`.
  func handOver(_ count: Int) { waitingCount.add(count, ordering: .relaxed) }

  /// A block was verified and written, or dropped.
  func verified(_ block: Block) {
    waitingCount.subtract(1, ordering: .releasing)
    giveBack(block)
  }

  /// The download is over: it takes no more. Called once.
  func close() { pool.close(download) }
}
