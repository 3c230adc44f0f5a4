// Simulates a flash crowd. All nodes run the real decisions; the result is the time at which the last one has the file.
import Content
import Transfer

/// One run. Confined to the thread that runs it.
public final class Crowd {
  let plan: CrowdPlan
  let world: World
  let file: SimulatedFile
  private(set) var nodes: [CrowdNode] = []
  private var finishTimes: [Double] = []
  private var outcome = CrowdOutcome()
  /// By chunk: the leaves that the seed has not sent to any peer.
  private var unspread: [UInt64] = []
  private var duplicateBytes: UInt64 = 0
  /// Nodes that leave before they finish. The run does not wait for them.
  private var leavers: Set<Int> = []

  /// When the link between zones is free again, away from the first zone and back to it; and the bytes that it has
  /// carried so far.
  private var links: (away: Instant, back: Instant) = (.zero, .zero)
  private var linkBytes: (away: Int, back: Int) = (0, 0)

  private static let limit = Instant.zero + .seconds(24 * 3600)

  private init(_ plan: CrowdPlan, isTraced: Bool) {
    self.plan = plan
    let world = World(seed: plan.seed, isTraced: isTraced)
    self.world = world
    let layout = plan.layout
    let bytes = (0..<Int(layout.fileLength)).map { _ in UInt8(truncatingIfNeeded: world.generator.next()) }
    file = SimulatedFile(bytes, layout, chunksPerPage: PageLayout.wireChunksPerPage)
  }

  /// Plays a crowd. It may have at most 1,024 chunks and 2^24 nodes.
  /// - `watch`: called four times per virtual second with the progress.
  public static func run(
    _ plan: CrowdPlan, isTraced: Bool = false, watch: ((CrowdProgress) -> Void)? = nil
  ) -> CrowdOutcome {
    let crowd = Crowd(plan, isTraced: isTraced)
    crowd.populate()
    if let watch { crowd.tell(watch) }
    let isOver = crowd.world.run(until: limit, eventsMax: .max) { crowd.finishTimes.count == plan.peers }
    if !isOver { crowd.world.violate("\(plan.peers - crowd.finishTimes.count) do not finish") }
    defer { crowd.world.forgetAll() }
    return crowd.result()
  }

  private func tell(_ watch: @escaping (CrowdProgress) -> Void) {
    world.after(.milliseconds(250)) { [self] in
      let downloaders = nodes.dropFirst()
      let count = Double(max(downloaders.count, 1))
      watch(
        CrowdProgress(
          seconds: world.time.inSeconds, events: world.eventCount, finished: finishTimes.count,
          chunksMean: Double(downloaders.reduce(0) { $0 + $1.held.wholeCount }) / count,
          connectionsMean: Double(downloaders.reduce(0) { $0 + $1.ends.count }) / count))
      tell(watch)
    }
  }

  private func populate() {
    unspread = (0..<file.layout.chunkCount).map { file.layout.leaves(of: ChunkIndex(UInt32($0))).mask }
    let seed = CrowdNode(0, of: self, isSeed: true)
    nodes.append(seed)
    seed.introduceAll()
    let leaving = Int((Double(plan.peers) * plan.churn).rounded())
    for number in 1...plan.peers + leaving {
      let node = CrowdNode(number, of: self, isSeed: false)
      nodes.append(node)
      let isLeaver = number > plan.peers
      let arrival = (isLeaver ? .nanoseconds(Int64(plan.fluidBound * 1e9)) : plan.arrival).wholeNanoseconds
      let arrives = Duration.nanoseconds(Int64.random(in: 0...arrival, using: &world.generator))
      world.after(arrives) { node.start(knowing: seed) }
      guard isLeaver else { continue }
      leavers.insert(number)
      let stayMax = Int64(plan.fluidBound * 1e9)
      world.after(arrives + .nanoseconds(Int64.random(in: 0...stayMax, using: &world.generator))) { node.leave() }
    }
  }

  /// Notes that the seed sends a piece.
  func spread(_ piece: UploadPiece) {
    let index = Int(piece.chunk.rawValue)
    unspread[index] &= ~piece.leaves.mask
    guard piece.isLastOfAnswer, outcome.spreadSeconds == 0 else { return }
    if !unspread.contains(where: { $0 != 0 }) { outcome.spreadSeconds = world.time.inSeconds }
  }

  /// Sends a piece over the link between two zones. Returns when it has crossed. Nil: both nodes are in one zone.
  /// - `cost`: its bytes on a link.
  /// - `begin`: when it reaches the link.
  func cross(_ cost: Int, _ byteCount: Int, from sender: Int, to receiver: Int, at begin: Instant) -> Instant? {
    guard plan.zone(of: sender) != plan.zone(of: receiver) else { return nil }
    let time = Duration.nanoseconds(Int64(Double(cost) / plan.linkRate * 1e9))
    if plan.zone(of: receiver) != 0 {
      links.away = max(links.away, begin) + time
      linkBytes.away += byteCount
      return links.away
    }
    links.back = max(links.back, begin) + time
    linkBytes.back += byteCount
    return links.back
  }

  func finished(_ node: CrowdNode, _ stats: DownloadStats) {
    duplicateBytes += stats.duplicateBytes
    outcome.retries += stats.retries
    if !leavers.contains(node.number) { finishTimes.append(world.time.inSeconds) }
    if plan.leavesWhenDone { world.after(.milliseconds(1)) { node.leave() } }
  }

  private func result() -> CrowdOutcome {
    let length = Double(plan.layout.fileLength)
    outcome.violation = world.violation
    outcome.firstSeconds = finishTimes.first ?? 0
    outcome.lastSeconds = finishTimes.last ?? 0
    outcome.meanSeconds = finishTimes.reduce(0, +) / Double(max(finishTimes.count, 1))
    outcome.seedCopies = Double(nodes[0].bytesUploaded) / length
    outcome.linkCopies = Double(linkBytes.away) / length
    outcome.linkCopiesBack = Double(linkBytes.back) / length
    outcome.duplicates = Double(duplicateBytes) / (length * Double(plan.peers))
    outcome.seedConnections = nodes[0].connectionsHigh
    let others = nodes.dropFirst().map(\.connectionsHigh).reduce(0, +)
    outcome.connectionsPerPeer = Double(others) / Double(max(nodes.count - 1, 1))
    outcome.events = world.eventCount
    outcome.fingerprint = world.fingerprint
    outcome.trace = world.trace
    return outcome
  }
}
