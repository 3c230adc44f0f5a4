// The hash pages that were used last: a chunk's leaf hashes are checked against one each time they are read.
import Content
import Synchronization

/// Verified pages in memory, as many as its bound says, of all files.
final class PageCache: Sendable {
  /// 32 KiB each: 4 MiB, for 128 GiB of files that are fetched at a time.
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

  /// Numbers of files are never given out twice, so what is here never has to be taken out.
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
