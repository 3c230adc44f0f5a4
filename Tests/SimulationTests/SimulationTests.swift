// Complete swarms on virtual time. No seed breaks a rule, and a seed always gives the same run.
import Simulation
import Testing

@Suite struct SimulationTests {
  @Test(arguments: [0, 25, 50, 75])
  func `no seed breaks a rule of the engine`(first: UInt64) {
    for seed in first..<first + 25 {
      let outcome = Simulation.run(seed: seed)
      #expect(outcome.violation == nil, "p2psim --seed \(seed) --trace")
    }
  }

  @Test func `a swarm with the same seed runs the same way`() {
    for seed in UInt64(1000)..<1005 {
      let trace = Simulation.run(seed: seed, isTraced: true).trace
      #expect(trace == Simulation.run(seed: seed, isTraced: true).trace, "p2psim --seed \(seed) --trace")
      #expect(trace?.isEmpty == false)
    }
  }

  @Test func `seeds give different runs, and together they have every kind of fault`() {
    let outcomes = (UInt64(0)..<100).map { Simulation.run(seed: $0) }
    #expect(Set(outcomes.map(\.events)).count > 50)
    #expect(outcomes.reduce(into: Set<Fault>()) { $0.formUnion($1.faults) } == Set(Fault.allCases))
    #expect(outcomes.contains { $0.ending == "finished" } && outcomes.contains { $0.ending != "finished" })
  }
}
