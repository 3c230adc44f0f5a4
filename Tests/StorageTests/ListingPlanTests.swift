// When listings are made, and which files count as still changing. The test controls the clock.
import Testing

@testable import Storage

@Suite struct ListingPlanTests {
  private let second: Int64 = 1_000_000_000

  private func due(_ plan: inout ListingPlan, at seconds: Int64, busy: Set<BytePath> = []) -> [String] {
    plan.takeDue(at: seconds * second) { busy }
  }

  @Test func `a change marks those folders above it that have IDs`() {
    for (folders, expected) in [
      (ServingRules.Folders.none, []), (.top, ["", "a"]), (.all, ["", "a", "a/b"]),
    ] {
      var plan = ListingPlan(ServingRules(folders: folders))
      plan.mark(above: "a/b/c")
      #expect(due(&plan, at: 0) == expected)
      #expect(due(&plan, at: 1_000) == [], "a listing is made once")
    }
  }

  @Test func `a folder is listed at most every 10 s and for at most a twentieth of the time`() {
    var plan = ListingPlan(ServingRules())
    for (took, wait) in [(0, 10), (2, 38)] as [(Int64, Int64)] {
      plan = ListingPlan(ServingRules())
      plan.mark(above: "a/b")
      #expect(due(&plan, at: 0) == ["", "a"])
      plan.mark(above: "a/b")
      plan.listed("", tookNanoseconds: took * second, at: 0)
      #expect(due(&plan, at: wait - 1) == ["a"])
      #expect(plan.deadline(after: second) == wait * second)
      #expect(due(&plan, at: wait) == [""])
    }
  }

  @Test func `a busy folder waits, and other folders do not`() {
    var plan = ListingPlan(ServingRules())
    plan.mark(above: "a/b")
    plan.mark(above: "c/d")
    #expect(due(&plan, at: 0, busy: ["", "a"]) == ["c"])
    #expect(due(&plan, at: 0, busy: ["a"]) == [""])
    #expect(due(&plan, at: 0) == ["a"])
  }

  @Test func `a listing that met a change is made again a second later`() {
    var plan = ListingPlan(ServingRules())
    plan.mark(folder: "a")
    #expect(due(&plan, at: 0) == ["a"])
    plan.postpone("a", at: 0)
    #expect(due(&plan, at: 0) == [] && plan.deadline(after: 0) == second)
    #expect(due(&plan, at: 1) == ["a"])
  }

  @Test func `a file that changes each second is restless after a minute, and rested after 10 s`() {
    var files = RestlessFiles()
    let reports = (0...61).map { files.changed("log", at: $0 * second) }
    #expect(reports.filter { $0 }.count == 1 && reports[60], "it is reported once")
    #expect(files.paths == ["log"])
    let early = files.takeRested(at: 70 * second)
    #expect(early == [] && files.deadline == 71 * second)
    let rested = files.takeRested(at: 71 * second)
    #expect(rested == ["log"])
    #expect(files.paths.isEmpty && files.deadline == .max)
  }

  @Test func `a file that is replaced every 20 s is not restless`() {
    var files = RestlessFiles()
    let reports = stride(from: Int64(0), to: 600, by: 20).map { files.changed("file", at: $0 * second) }
    #expect(!reports.contains(true))
  }
}
