// How blocks are divided among downloads.
import Testing

@testable import Transfer

/// Shares of downloads that are numbered from 0.
private final class Shared {
  private var shares: BlockShares

  init(_ count: Int, limit: Int = 256) {
    shares = BlockShares(limit: limit)
    for i in 0..<count { open(i) }
  }

  var heldCount: Int { shares.heldCount }
  func held(by download: Int) -> Int { shares.held(by: DownloadID(UInt64(download))) }
  func open(_ download: Int) { shares.open(DownloadID(UInt64(download))) }
  func close(_ download: Int) { shares.close(DownloadID(UInt64(download))) }
  func take(_ download: Int, isOutputIdle: Bool = false) -> Bool {
    shares.take(DownloadID(UInt64(download)), isOutputIdle: isOutputIdle)
  }
  func takeBeyondLimit(_ download: Int) { shares.takeBeyondLimit(DownloadID(UInt64(download))) }
  func giveBack(_ download: Int, isOutputIdle: Bool = false) -> Bool {
    shares.giveBack(DownloadID(UInt64(download)), isOutputIdle: isOutputIdle)
  }

  /// Takes blocks for a download as long as it may. Returns their number.
  func fill(_ download: Int) -> Int {
    var count = 0
    while count < 10_000, take(download) { count += 1 }
    return count
  }
}

@Suite struct BlockSharesTests {
  @Test func `one download may hold all blocks`() {
    let shares = Shared(1)
    #expect(shares.fill(0) == 256)
    #expect(shares.heldCount == 256 && shares.held(by: 0) == 256)
  }

  @Test func `downloads that start together hold equal shares`() {
    let shares = Shared(4)
    for i in 0..<4 { #expect(shares.fill(i) == 64) }
  }

  @Test func `a hundred downloads hold little more than one download, and each makes progress`() {
    let shares = Shared(100)
    for i in 0..<100 { #expect(shares.fill(i) >= BlockShares.blocksMin) }
    #expect(shares.heldCount <= 400)
  }

  @Test func `a download that holds all blocks leaves a reserve to later ones`() {
    let shares = Shared(1)
    _ = shares.fill(0)  // and its output stalls
    for i in 1..<100 {
      shares.open(i)
      #expect(shares.fill(i) >= BlockShares.blocksMin)
    }
    #expect(shares.heldCount <= 3 * 256, "though every output stalls")
  }

  @Test func `a download whose output holds no block may take one more`() {
    let shares = Shared(2, limit: 8)
    #expect(shares.fill(0) == 4)  // slow peers send into them
    #expect(shares.take(0, isOutputIdle: true))
    #expect(!shares.take(0))
  }

  @Test func `a refused download is notified once when a quarter is free or its output is idle`() {
    let shares = Shared(1, limit: 16)
    let download = 0
    #expect(shares.fill(0) == 16)
    for _ in 0..<3 { #expect(!shares.giveBack(download)) }
    #expect(shares.giveBack(download), "a quarter is free")
    #expect(!shares.giveBack(download), "it was told")
    _ = shares.fill(0)
    #expect(shares.giveBack(download, isOutputIdle: true))
  }

  @Test func `a download that was never refused a block is not notified`() {
    let shares = Shared(1, limit: 4)
    for _ in 0..<4 { #expect(shares.take(0)) }
    for _ in 0..<4 { #expect(!shares.giveBack(0, isOutputIdle: true)) }
  }

  @Test func `a download that has ended takes no more blocks, and its blocks count until they are given back`() {
    let shares = Shared(2, limit: 8)
    #expect(shares.fill(0) == 4)
    shares.close(0)
    #expect(!shares.take(0, isOutputIdle: true))
    shares.takeBeyondLimit(0)
    #expect(shares.heldCount == 5)
    #expect(shares.fill(1) == 4, "the only one that is open may hold all, but the blocks are out")
    for _ in 0..<5 { #expect(!shares.giveBack(0, isOutputIdle: true)) }
    #expect(shares.held(by: 0) == 0)
    #expect(shares.fill(1) == 4)
  }
}
