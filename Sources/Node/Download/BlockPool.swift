// The supply of blocks, which bounds the memory of a download.
import Posix
import Synchronization

/// A bounded supply of blocks: a download holds no more data in memory, however much its peers send.
final class BlockPool: Sendable {
  private struct State {
    var free: [Block] = []
    var made = 0
    var isAwaited = false
  }

  private let state = Mutex(State())
  private let limit: Int
  /// Called, on the thread that gave a block back, when blocks are there again after `take` had none.
  private let onAvailable: @Sendable () -> Void

  init(limit: Int, onAvailable: @escaping @Sendable () -> Void) {
    self.limit = limit
    self.onAvailable = onAvailable
  }

  /// Blocks that were taken and not given back.
  var inUseCount: Int { state.withLock { $0.made - $0.free.count } }

  /// A block, or nil when all are in use; then `onAvailable` is called once some are free.
  func take() -> Block? {
    state.withLock { state in
      if let block = state.free.popLast() { return block }
      if state.made < limit {
        state.made += 1
        return Block()
      }
      state.isAwaited = true
      return nil
    }
  }

  /// A block even if none is free: for a frame whose start was taken already.
  func takeBeyondLimit() -> Block {
    if let block = take() { return block }
    state.withLock { $0.made += 1 }
    return Block()
  }

  func giveBack(_ block: Block) {
    block.empty()
    let isAwaited = state.withLock { state in
      if state.made > limit {  // one was taken beyond the limit: this one makes up for it
        state.made -= 1
        return false
      }
      state.free.append(block)
      // A quarter, so that the loops are not woken for every single block.
      guard state.isAwaited, state.free.count >= max(1, limit / 4) else { return false }
      state.isAwaited = false
      return true
    }
    if isAwaited { onAvailable() }
  }
}
