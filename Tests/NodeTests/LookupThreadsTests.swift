// The threads that look up names. Their number is limited, and all look-ups get their turn.
import Posix
import Synchronization
import TestSupport
import Testing
import Transfer

@testable import PeerNode

@Suite struct LookupThreadsTests {
  private let threads = LookupThreads()
  private let began = BlockingQueue<String>()
  private let released = BlockingQueue<Void>()

  /// Starts look-ups that block until they are released.
  private func block(_ count: Int, of download: UInt64) {
    for i in 0..<count {
      threads.run(for: DownloadID(download)) { [began, released] in
        began.put("\(download).\(i)")
        _ = released.take()
      }
    }
  }

  private func names(_ range: Range<Int>, of download: UInt64) -> Set<String> { Set(range.map { "\(download).\($0)" }) }

  /// Returns the names of the next look-ups that begin.
  private func next(_ count: Int) -> Set<String> { Set((0..<count).compactMap { _ in began.take() }) }

  @Test func `look-ups that block wait for free threads, and all get their turn`() {
    let atOnce = LookupThreads.runningMax(downloads: 1)
    let count = atOnce + 5
    let watchdog = Watchdog(seconds: 20) { [began] in began.close() }
    defer { withExtendedLifetime(watchdog) {} }
    block(count, of: 1)
    #expect(next(atOnce) == names(0..<atOnce, of: 1), "no later one has begun")
    for _ in 0..<count { released.put(()) }
    #expect(next(5) == names(atOnce..<count, of: 1))
  }

  @Test func `blocking names of one download do not delay the others`() {
    let atOnce = LookupThreads.runningMax(downloads: 1)
    defer { released.close() }
    let watchdog = Watchdog(seconds: 20) { [began] in began.close() }
    defer { withExtendedLifetime(watchdog) {} }
    block(100, of: 1)
    #expect(next(atOnce) == names(0..<atOnce, of: 1))
    for download in 2...4 as ClosedRange<UInt64> {
      block(1, of: download)
      #expect(next(1) == names(0..<1, of: download))
    }
    // The remaining threads go to the downloads that came first, up to their shares.
    block(100, of: 5)
    #expect(next(2) == names(0..<2, of: 5))
    #expect(LookupThreads.runningMax(downloads: 5) == 2)
  }
}
