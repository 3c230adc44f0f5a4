// A flash crowd on virtual time: all downloaders finish soon, and the seed does not send the whole file to each.
import Simulation
import Testing

@Suite struct CrowdTests {
  private func plan(_ peers: Int, seed: UInt64 = 0) -> CrowdPlan {
    var plan = CrowdPlan()
    plan.peers = peers
    plan.seed = seed
    plan.leavesPerChunk = 16
    return plan
  }

  @Test(arguments: [0, 1, 2])
  func `six downloaders take hardly longer than one`(seed: UInt64) {
    let plan = plan(6, seed: seed)
    let outcome = Crowd.run(plan)
    #expect(outcome.violation == nil, "p2psim crowd --peers 6 --leaves 16 --seed \(seed) --trace")
    #expect(outcome.lastSeconds < 1.15 * plan.fluidBound)
    #expect(outcome.seedCopies < 1.3 && outcome.duplicates < 0.02)
  }

  @Test func `a crowd with the same seed runs the same way`() {
    var plan = plan(5)
    plan.chunks = 12
    let outcome = Crowd.run(plan, isTraced: true)
    #expect(outcome.trace?.isEmpty == false)
    #expect(outcome.trace == Crowd.run(plan, isTraced: true).trace)
    #expect(outcome.fingerprint == Crowd.run(plan).fingerprint)
    plan.seed = 1
    #expect(outcome.fingerprint != Crowd.run(plan).fingerprint)
  }

  @Test func `a downloader that the seed has no room for finds the others through it`() {
    var plan = plan(12)
    plan.chunks = 12
    plan.seedConnectionsMax = 3
    let outcome = Crowd.run(plan)
    #expect(outcome.violation == nil)
    #expect(outcome.seedConnections == 3)
  }

  @Test(arguments: [0, 1, 2])
  func `the nodes that stay finish, however others come and go`(seed: UInt64) {
    var plan = plan(8, seed: seed)
    plan.chunks = 24
    plan.churn = 1
    plan.leavesWhenDone = true
    #expect(
      Crowd.run(plan).violation == nil, "p2psim crowd --peers 8 --file-chunks 24 --churn 1 --leave --seed \(seed)")
  }

  @Test(arguments: [0, 1, 2])
  func `the slow link between two zones carries little more than one copy of the file`(seed: UInt64) {
    var plan = plan(8, seed: seed)
    plan.chunks = 40
    plan.zones = 2
    let outcome = Crowd.run(plan)
    let command = "p2psim crowd --peers 8 --file-chunks 40 --leaves 16 --zones 2 --seed \(seed)"
    #expect(outcome.violation == nil, "\(command)")
    #expect(outcome.linkCopies + outcome.linkCopiesBack < 1.3, "\(outcome.linkCopies): \(command)")
    // The link between the zones takes nearly all of the far zone's time.
    #expect(outcome.lastSeconds < 1.3 * plan.fileBytes / plan.linkRate, "\(command)")
    plan.announcesZones = false
    let unaware = Crowd.run(plan)
    #expect(unaware.linkCopies > 1.5 && unaware.lastSeconds > outcome.lastSeconds, "\(unaware.linkCopies): \(command)")
  }

  @Test func `a node that leaves its zone without GOODBYE delays the others only a little`() {
    var plan = plan(8)
    plan.chunks = 40
    plan.zones = 2
    plan.churn = 1
    let outcome = Crowd.run(plan)
    #expect(outcome.violation == nil && outcome.linkCopies < 1.5, "\(outcome.linkCopies)")
  }
}
