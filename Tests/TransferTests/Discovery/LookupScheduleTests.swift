// When names are looked up: often while peers are wanted, seldom while there are enough, never twice at the same time.
import Testing

@testable import Transfer

/// Looks names up in virtual time.
private struct Lookups {
  var schedule: LookupSchedule
  /// The start of each look-up, by name.
  var times: [[Double]]
  let names: Int

  init(names: Int = 1, peersWanted: Int = 8) {
    schedule = LookupSchedule(names: names, peersWanted: peersWanted, at: .zero)
    times = Array(repeating: [], count: names)
    self.names = names
  }

  /// Runs look-ups. Each ends at once with the result of `outcome` for its time.
  mutating func run(until end: Double, _ outcome: (Double) -> LookupOutcome = { _ in .nothingNew }) {
    var now = schedule.deadline ?? .zero
    while now <= .seconds(end) {
      while let name = schedule.next(at: now) {
        times[name].append(now.inSeconds)
        schedule.ended(name, outcome(now.inSeconds), at: now)
      }
      _ = schedule.isSettled(at: now)
      guard let next = schedule.deadline else { return }
      now = next
    }
  }
}

extension LookupSchedule {
  /// Like `isSettled`, on a copy, because a macro cannot call a mutating function.
  fileprivate func wouldBeSettled(at now: Instant) -> Bool {
    var copy = self
    return copy.isSettled(at: now)
  }

  /// Like `next`, on a copy.
  fileprivate func nextName(at now: Instant) -> Int? {
    var copy = self
    return copy.next(at: now)
  }
}

@Suite struct LookupScheduleTests {
  @Test func `while peers are wanted, each name is looked up every 5 s`() {
    var lookups = Lookups()
    lookups.run(until: 0) { _ in .news }
    lookups.schedule.setLivePeers(3, at: .milliseconds(100))
    lookups.run(until: 21)
    #expect(lookups.times[0] == [0, 5, 10, 15, 20])
  }

  @Test func `with enough peers the interval doubles up to 30 s, and a new address resets it`() {
    var lookups = Lookups(peersWanted: 2)
    lookups.schedule.setLivePeers(2, at: .zero)
    lookups.run(until: 150) { $0 == 95 ? .news : .nothingNew }
    #expect(lookups.times[0] == [0, 5, 15, 35, 65, 95, 100, 110, 130])
  }

  @Test func `after a lost peer each name is looked up at once, but at least 1 s after its last look-up`() {
    var lookups = Lookups(names: 2, peersWanted: 2)
    lookups.schedule.setLivePeers(3, at: .zero)
    lookups.run(until: 40)
    #expect(lookups.times == [[0, 5, 15, 35], [0, 5, 15, 35]])
    lookups.schedule.setLivePeers(2, at: .seconds(35.25))
    lookups.run(until: 41.5)
    #expect(lookups.times[0].dropFirst(4) == [36, 41])
    lookups.schedule.setLivePeers(1, at: .seconds(44))
    #expect(lookups.schedule.deadline == .seconds(44))
  }

  @Test func `without any peer names are looked up soon, and then less and less often`() {
    var lookups = Lookups()
    lookups.schedule.setLivePeers(1, at: .zero)
    lookups.run(until: 6)
    lookups.schedule.setLivePeers(0, at: .seconds(7))
    lookups.run(until: 110)
    #expect(lookups.times[0] == [0, 5, 7, 8, 10, 14, 22, 38, 68, 98])
  }

  @Test func `the start waits for names until they resolve, and for failing ones 5 s`() {
    var lookups = Lookups(names: 2)
    #expect(!lookups.schedule.wouldBeSettled(at: .zero))
    lookups.run(until: 0) { _ in .news }
    #expect(lookups.schedule.wouldBeSettled(at: .zero))

    var unknown = Lookups()
    unknown.run(until: 4.9) { _ in .failed }
    #expect(unknown.times[0] == [0, 1, 2, 3, 4])
    #expect(!unknown.schedule.wouldBeSettled(at: .seconds(4.9)))
    #expect(unknown.schedule.deadline == .seconds(5))
    #expect(unknown.schedule.wouldBeSettled(at: .seconds(5)))

    var late = Lookups()
    late.run(until: 2) { $0 < 2 ? .failed : .news }
    #expect(late.schedule.wouldBeSettled(at: .seconds(2)))
  }

  @Test func `a look-up that hangs is awaited and not started again`() {
    var schedule = LookupSchedule(names: 1, peersWanted: 8, at: .zero)
    let first = schedule.next(at: .zero)
    #expect(first == 0)
    #expect(schedule.deadline == nil)
    #expect(schedule.nextName(at: .seconds(1000)) == nil)
    #expect(!schedule.wouldBeSettled(at: .seconds(1000)))
    schedule.setLivePeers(1, at: .seconds(1000))
    schedule.setLivePeers(0, at: .seconds(1001))
    #expect(schedule.nextName(at: .seconds(1001)) == nil)
    schedule.ended(0, .failed, at: .seconds(1002))
    #expect(schedule.wouldBeSettled(at: .seconds(1002)))
  }

  @Test func `at most sixteen look-ups run at a time`() {
    var schedule = LookupSchedule(names: 40, peersWanted: 8, at: .zero)
    var begun = 0
    while schedule.next(at: .zero) != nil { begun += 1 }
    #expect(begun == LookupSchedule.underWayMax)
    #expect(schedule.deadline == nil)
    schedule.ended(0, .news, at: .seconds(1))
    #expect(schedule.deadline == .zero)
    #expect(schedule.nextName(at: .seconds(1)) == 16)
  }

  @Test func `without names there is no wait`() {
    let schedule = LookupSchedule(names: 0, peersWanted: 8, at: .zero)
    #expect(schedule.deadline == nil)
    #expect(schedule.wouldBeSettled(at: .zero))
  }
}
