// Runs one seed: the same seed gives the same swarm, the same faults and the same trace, byte for byte.
import Content
import Transfer

/// The result of a run.
public struct SimulationOutcome: Sendable {
  public let seed: UInt64
  /// The first rule that was broken, with its time. Nil: none.
  public let violation: String?
  /// `finished`, or the name of the failure.
  public let ending: String
  public let faults: Set<Fault>
  public let virtualSeconds: Double
  public let events: Int
  /// One line for each thing that happened. Nil unless it was requested.
  public let trace: [String]?
}

/// Whole swarms on virtual time, in one process.
public enum Simulation {
  /// The limits of a run, in virtual time and in events.
  private static let limit = Instant.zero + .seconds(8 * 3600)
  private static let eventsMax = 1_000_000

  /// Runs one seed to its end.
  public static func run(seed: UInt64, isTraced: Bool = false) -> SimulationOutcome {
    let scenario = Scenario(seed: seed)
    let world = World(seed: seed ^ 0x5eed, isTraced: isTraced)
    world.note("scenario \(scenario.summary)")
    let file =
      scenario.folder.map { SimulatedFile($0, chunksPerPage: scenario.chunksPerPage) }
      ?? SimulatedFile(scenario.bytes, scenario.layout, chunksPerPage: scenario.chunksPerPage)
    let peers = scenario.peers.map { ServingPeer($0, file: file, world: world) }
    let getter = Getter(scenario, file: file, peers: peers, world: world)
    getter.start()
    let isOver = world.run(until: limit, eventsMax: eventsMax) { getter.ending != nil }
    if !isOver { world.violate("the run does not end") }
    let ending = getter.ending.map(Simulation.name) ?? "none"
    world.note("ending \(ending)")
    getter.forget()
    world.forgetAll()
    return SimulationOutcome(
      seed: seed, violation: world.violation, ending: ending, faults: scenario.faults,
      virtualSeconds: world.time.inSeconds, events: world.eventCount, trace: world.trace)
  }

  static func name(_ ending: Ending) -> String {
    switch ending {
    case .finished: "finished"
    case .failed(let failure, _):
      switch failure {
      case .unreachable: "unreachable"
      case .notFound: "not found"
      case .notAdmitted: "not admitted"
      case .everyPeerLied: "every peer lied"
      case .noPeers: "no peers"
      case .outOfRetries: "out of retries"
      case .pageOutOfRetries: "page out of retries"
      case .storage: "storage"
      case .cancelled: "cancelled"
      }
    }
  }
}

extension PeerPlan {
  fileprivate var awayText: String {
    absences.isEmpty ? "" : " away \(absences.map { "\($0.lowerBound.inSeconds)..<\($0.upperBound.inSeconds)" })"
  }
}

extension Scenario {
  /// All that was drawn, in an order that does not depend on hashing.
  var summary: String {
    // The wanted leaves are a dictionary, whose order changes between runs.
    var shown = settings
    shown.wanted = .all
    let contents = folder.map { "\($0.files.count) entries, \(settings.wanted.isAll ? "all" : "some") wanted, " } ?? ""
    var settingsText = "\(shown)"
    let noPatience = ", patience: \(String(reflecting: PeerPatience.none)))"
    if settingsText.hasSuffix(noPatience) { settingsText = settingsText.dropLast(noPatience.count) + ")" }
    let header =
      contents + "\(layout.fileLength) bytes, \(layout.chunkCount) chunks of \(layout.leavesPerChunk) leaves, "
      + "\(chunksPerPage) a page, \(settingsText)"
    let strikes = self.getter.strikes.map { "\($0.fault.rawValue) \($0.at)" }
    let getter =
      "getter \(self.getter.faults.map(\.rawValue).sorted()) strikes \(strikes)"
      + " syncs in \(self.getter.syncDelay) journal \(self.getter.journal)"
    let peers = peers.map {
      "\n  peer\($0.number) \($0.faults.map(\.rawValue).sorted()) \($0.bytesPerSecond) B/s delay \($0.delay) "
        + "requests \($0.requestsMax)\($0.isHinted ? " hinted" : "") begins \($0.begins) ends \($0.ends.map { "\($0)" } ?? "never") \($0.wrongPart)\($0.awayText)"
    }
    return header + "\n  " + getter + peers.joined()
  }
}
