// When others are told of leaves that came.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct AnnouncementsTests {
  private let chunk = ChunkIndex(3)
  private var announcements = Announcements()

  private func leaves(_ first: Int, _ count: Int) -> LeafRange { LeafRange(first: first, count: count) }

  @Test mutating func `leaves of a rare chunk are told of at once, and then in short intervals`() {
    announcements.gained(leaves(0, 4), of: chunk, isWhole: false, copies: 0, at: .zero)
    #expect(announcements.deadline == .zero)
    #expect(announcements.take(at: .zero) == [LeafRun(chunk: chunk, leaves: leaves(0, 4))])
    #expect(announcements.deadline == nil)
    announcements.gained(leaves(4, 4), of: chunk, isWhole: false, copies: 0, at: .zero)
    announcements.gained(leaves(12, 4), of: chunk, isWhole: false, copies: 0, at: .zero)
    #expect(announcements.deadline == Instant.zero + Announcements.interval)
    #expect(
      announcements.take(at: .zero + Announcements.interval) == [
        LeafRun(chunk: chunk, leaves: leaves(4, 4)), LeafRun(chunk: chunk, leaves: leaves(12, 4)),
      ])
  }

  @Test mutating func `a chunk that many have is told of once, when it is whole`() {
    announcements.gained(leaves(0, 32), of: chunk, isWhole: false, copies: Announcements.rareMax, at: .zero)
    #expect(announcements.deadline == nil)
    announcements.gained(leaves(32, 32), of: chunk, isWhole: true, copies: Announcements.rareMax, at: .zero)
    #expect(announcements.take(at: .zero) == [LeafRun(chunk: chunk, leaves: leaves(0, 64))])
    #expect(announcements.take(at: .zero) == [])
  }

  @Test func `the runs of a mask are its set bits`() {
    #expect(LeafRun.runs(of: 0, in: chunk) == [])
    #expect(LeafRun.runs(of: .max, in: chunk) == [LeafRun(chunk: chunk, leaves: leaves(0, 64))])
    #expect(
      LeafRun.runs(of: 1 << 63 | 0b1101, in: chunk) == [
        LeafRun(chunk: chunk, leaves: leaves(0, 1)), LeafRun(chunk: chunk, leaves: leaves(2, 2)),
        LeafRun(chunk: chunk, leaves: leaves(63, 1)),
      ])
  }
}
