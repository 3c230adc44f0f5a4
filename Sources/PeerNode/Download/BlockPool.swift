// The supply of memory blocks, which bounds the received data of all downloads of a node.
import Posix
import Synchronization
import Transfer

/// A bounded supply of blocks. However much peers send, downloads hold no more data in memory than these.
final class BlockPool: Sendable {
  private struct State {
    var shares: BlockShares
    var free: [Block] = []
  }

  private let state: Mutex<State>

  /// - `limit`: the number of blocks of 64 KiB for all downloads together.
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

  /// Returns true if the download was refused a block before and may take one now.
  fileprivate func giveBack(_ block: Block, _ download: DownloadID, _ waitingCount: borrowing Atomic<Int>) -> Bool {
    block.empty()
    return state.withLock { state in
      let isIdle = waitingCount.load(ordering: .acquiring) == 0
      let wakes = state.shares.giveBack(download, isOutputIdle: isIdle)
      // Blocks beyond the limit are freed.
      if state.shares.heldCount + state.free.count < state.shares.limit { state.free.append(block) }
      return wakes
    }
  }
}

/// The blocks of one download. Any thread may call it.
final class DownloadBlocks: Sendable {
  private let pool: BlockPool
  private let download: DownloadID
  /// The number of blocks that wait to be verified and written.
  private let waitingCount = Atomic<Int>(0)
  /// Called on the thread that returned a block, when `take` may succeed again after it returned nil.
  private let onAvailable: @Sendable () -> Void

  init(_ pool: BlockPool, of download: DownloadID, onAvailable: @escaping @Sendable () -> Void) {
    self.pool = pool
    self.download = download
    self.onAvailable = onAvailable
    pool.open(download)
  }

  /// The number of blocks that were taken and not returned.
  var inUseCount: Int { pool.held(by: download) }

  /// Returns a block, or nil if the download may hold no more. Then `onAvailable` is called once it may.
  func take() -> Block? { pool.take(download, waitingCount) }

  /// Returns a block even beyond the limit: for a frame whose start has been read already.
  func takeBeyondLimit() -> Block { pool.takeBeyondLimit(download) }

  func giveBack(_ block: Block) { if pool.giveBack(block, download, waitingCount) { onAvailable() } }

  /// Counts blocks that go to the verifying threads. `verified` returns each.
  func handOver(_ count: Int) { waitingCount.add(count, ordering: .relaxed) }

  /// Returns a block that was verified and written, or dropped.
  func verified(_ block: Block) {
    waitingCount.subtract(1, ordering: .releasing)
    giveBack(block)
  }

  /// Ends the download's use of blocks: it takes no more. Called once.
  func close() { pool.close(download) }
}
