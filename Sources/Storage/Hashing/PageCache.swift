// Caches the hash pages that were used last. Each read of a chunk's leaf hashes is checked against a page.
import Content
import Synchronization

/// Verified pages of all files in memory, in a bounded number.
final class PageCache: Sendable {
  /// A page has 32 KiB, so this is 4 MiB: enough for 128 GiB of files that are fetched at the same time.
  private static let countMax = 128

  private struct Key: Hashable {
    let file: Int64
    let page: PageIndex
  }
  private struct State {
    var pages: [Key: (page: HashPage, lastUse: UInt64)] = [:]
    var useCount: UInt64 = 0
  }
  private let state = Mutex(State())

  func page(_ index: PageIndex, of file: Int64) -> HashPage? {
    state.withLock { state in
      let key = Key(file: file, page: index)
      guard let page = state.pages[key]?.page else { return nil }
      state.useCount += 1
      state.pages[key]?.lastUse = state.useCount
      return page
    }
  }

  /// Keeps a page. File numbers are never reused, so no page ever becomes wrong.
  func keep(_ page: HashPage, of file: Int64) {
    state.withLock { state in
      if state.pages.count >= PageCache.countMax,
        let oldest = state.pages.min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        state.pages[oldest.key] = nil
      }
      state.useCount += 1
      state.pages[Key(file: file, page: page.index)] = (page, state.useCount)
    }
  }
}
