// What a download offers of its file: everything that it can prove, and nothing else.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct LocalAvailabilityTests {
  private let layout = ChunkLayout(fileLength: (9 << 20) + 40_000)!
  private let hashes = [Digest](repeating: .zero, count: 64)

  private func run(_ chunk: UInt32, _ first: Int, _ count: Int) -> LeafRun {
    LeafRun(chunk: ChunkIndex(chunk), leaves: LeafRange(first: first, count: count))
  }

  private func offers(_ held: LocalAvailability, _ chunk: UInt32, _ first: Int, _ count: Int) -> Bool {
    held.offers(LeafRange(first: first, count: count), of: ChunkIndex(chunk))
  }

  @Test func `leaves are announced once, in few runs, and may then be requested`() {
    var held = LocalAvailability(layout)
    held.add(0b0000_1111, of: ChunkIndex(3), leafHashes: hashes)
    held.add(0b1111_0000, of: ChunkIndex(3))
    held.add(1 << 63, of: ChunkIndex(1), leafHashes: hashes)
    #expect(held.takeNews(at: .zero) == [run(1, 63, 1), run(3, 0, 8)])
    #expect(held.takeNews(at: .zero).isEmpty && held.newsDeadline == nil)
    held.add(0b1_1111_1111, of: ChunkIndex(3))
    #expect(held.takeNews(at: .zero) == [run(3, 8, 1)])
    #expect(offers(held, 3, 0, 9) && offers(held, 3, 4, 2) && !offers(held, 3, 8, 2) && !offers(held, 2, 0, 1))
    #expect(held.offer == HeldParts(wholeChunks: [0, 0], runs: [run(1, 63, 1), run(3, 0, 9)]))
  }

  @Test func `peers learn of the first leaves at once, and of more after 50 ms`() throws {
    var held = LocalAvailability(layout)
    let start = Instant.zero + .seconds(9)
    held.add(1, of: ChunkIndex(3), leafHashes: hashes)
    #expect(try #require(held.newsDeadline) <= start)
    #expect(held.takeNews(at: start) == [run(3, 0, 1)] && held.newsDeadline == nil)
    held.add(2, of: ChunkIndex(3))
    #expect(held.newsDeadline == start + .milliseconds(50))
  }

  @Test func `leaves with unknown hashes are offered when their chunk is complete`() {
    var held = LocalAvailability(layout)
    #expect(!held.hasAny)
    held.add(0b1111, of: ChunkIndex(2))
    #expect(!held.hasAny)
    held.add(0b1111, of: ChunkIndex(9))  // 40,000 bytes: three leaves
    #expect(
      held.hasAny && held.takeNews(at: .zero) == [run(9, 0, 3)] && offers(held, 9, 0, 3) && !offers(held, 9, 0, 4))
    held.add(0b1111, of: ChunkIndex(2))
    #expect(held.takeNews(at: .zero).isEmpty && !offers(held, 2, 0, 1))
    held.add(.max, of: ChunkIndex(2))
    #expect(held.takeNews(at: .zero) == [run(2, 0, 64)] && offers(held, 2, 60, 4))
    #expect(held.offer == HeldParts(wholeChunks: [0b0010_0000, 0b0100_0000], runs: []))
    held.add(.max, of: ChunkIndex(2))
    #expect(held.newsDeadline == nil)
  }

  @Test func `leaves and chunks beyond the file are not offered`() {
    var held = LocalAvailability(layout, isComplete: true)
    #expect(held.isComplete && offers(held, 0, 0, 64) && offers(held, 9, 2, 1))
    #expect(!offers(held, 9, 3, 1) && !offers(held, 10, 0, 1) && !offers(held, .max, 0, 1))
    held.add(1, of: ChunkIndex(10), leafHashes: hashes)
    #expect(held.newsDeadline == nil)
    let empty = LocalAvailability(ChunkLayout(fileLength: 0)!)
    #expect(empty.isComplete && empty.offer == HeldParts(wholeChunks: [], runs: []))
  }

  @Test func `the kept leaf hashes are bounded, and those of the last chunks are kept`() {
    let layout = ChunkLayout(fileLength: 10_000 << 20)!
    var held = LocalAvailability(layout)
    for chunk in 0..<10_000 { held.add(1, of: ChunkIndex(UInt32(chunk)), leafHashes: hashes) }
    func keptCount() -> Int { (0..<10_000).count { held.leafHashes(of: ChunkIndex(UInt32($0))) != nil } }
    #expect(keptCount() == LocalAvailability.unfinishedHashesMax)
    #expect(held.takeNews(at: .zero).count == LocalAvailability.unfinishedHashesMax)
    for chunk in 0..<10_000 { held.add(.max, of: ChunkIndex(UInt32(chunk)), leafHashes: hashes) }
    #expect(held.isComplete && keptCount() == LocalAvailability.wholeHashesMax)
    #expect(held.leafHashes(of: ChunkIndex(9_999)) != nil && held.leafHashes(of: ChunkIndex(0)) == nil)
    held.keep(hashes, of: ChunkIndex(0))
    #expect(held.leafHashes(of: ChunkIndex(0)) != nil && keptCount() == LocalAvailability.wholeHashesMax)
  }
}

@Suite struct UploadPaceTests {
  private let mebibyte = 1 << 20

  /// Returns a connection that received this many bytes in each of these seconds.
  private func pace(bytesPerSecond: Int, seconds: Int) -> UploadPace {
    var pace = UploadPace()
    pace.note(isWaiting: true, at: .zero)
    for second in 1...seconds { pace.sent(bytesPerSecond, at: .seconds(Double(second))) }
    pace.note(isWaiting: false, at: .seconds(Double(seconds)))
    return pace
  }

  @Test func `up to 8 s of requests wait, and a request beyond that is refused for the excess`() throws {
    let pace = pace(bytesPerSecond: 100_000, seconds: 8)
    let now = Instant.seconds(100)
    #expect(pace.retryAfter(waiting: 800_000, at: now) == nil)
    let delay = try #require(pace.retryAfter(waiting: 1_600_000, at: now))
    #expect(delay > .seconds(6) && delay < .seconds(8))
    #expect(pace.retryAfter(waiting: 100 * mebibyte, at: now) == UploadPace.retryMax)
    #expect(pace.retryAfter(waiting: 0, at: now) == nil, "a connection that waits for nothing is not refused")
  }

  @Test func `time without waiting requests does not count, and old measurements are dropped`() {
    var pace = pace(bytesPerSecond: 1_000, seconds: 6)
    #expect(pace.retryAfter(waiting: mebibyte, at: .seconds(60)) != nil)
    pace.note(isWaiting: true, at: .seconds(60))
    for second in 61...100 { pace.sent(mebibyte, at: .seconds(Double(second))) }
    #expect(pace.retryAfter(waiting: 7 * mebibyte, at: .seconds(100)) == nil)
    #expect(pace.retryAfter(waiting: 12 * mebibyte, at: .seconds(100)) != nil)
  }

  @Test func `a peer that was sent nothing yet may request, and one that takes nothing for long may not`() {
    var pace = UploadPace()
    #expect(pace.retryAfter(waiting: 64 * mebibyte, at: .seconds(5)) == nil)
    pace.note(isWaiting: true, at: .zero)
    #expect(pace.retryAfter(waiting: 64 * mebibyte, at: .milliseconds(400)) == nil)
    #expect(pace.retryAfter(waiting: mebibyte, at: .seconds(20)) != nil)
    #expect(pace.retryAfter(waiting: mebibyte, at: .zero) == nil, "a clock that goes back")
  }
}
