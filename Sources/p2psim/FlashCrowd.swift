// `p2psim crowd`: one seed and N downloaders that start at once. Measures the time until the last of them has the file.
import ArgumentParser
import Simulation

struct FlashCrowd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "crowd",
    abstract: "Plays one seed and downloaders that all come at once, and sets the time to the last against the bound.",
    discussion: "The bound is the fluid one: max(F/u_seed, F/d_min, N·F/(u_seed + Σu)).")

  @Option(help: "Downloaders.")
  var peers = 6

  @Option(help: "The seed of all chance.")
  var seed: UInt64 = 0

  @Option(help: "Chunks of 1 MiB that the file has.")
  var fileChunks = 100

  @Option(help: "Leaves that a chunk is cut into, a power of two: 64 on the wire; fewer are cheaper to play.")
  var leaves = 64

  @Option(help: "What each node uploads, in bytes a second.")
  var up = 10e6

  @Option(help: "What each node downloads, in bytes a second.")
  var down = 10e6

  @Option(help: "One way between two nodes, in milliseconds.")
  var delay: Int64 = 1

  @Option(help: "Connections that a downloader dials or fetches from.")
  var connections = 50

  @Option(help: "Connections that a downloader admits from other peers.")
  var inbound = 1024

  @Option(help: "Connections that the seed has.")
  var seedConnections = 1024

  @Option(help: "Downloaders that come and go again unfinished, for each that stays.")
  var churn = 0.0

  @Flag(help: "Who has the file goes, instead of serving until all have it.")
  var leave = false

  @Flag(inversion: .prefixedNo, help: "Each node knows its upload, as with --upload-limit, and so when it is full.")
  var uploadLimit = true

  @Option(help: "Zones that the nodes are in by turns, the seed in the first. All traffic between zones shares a link.")
  var zones = 1

  @Option(help: "What the link between zones carries in each direction, in bytes a second.")
  var link = 1.25e6

  @Flag(inversion: .prefixedNo, help: "Each node announces its zone, as with --zone.")
  var announce = true

  @Flag(help: "Print everything that happens.")
  var trace = false

  @Flag(help: "Print how far it is four times a virtual second: a large crowd takes hours.")
  var progress = false

  mutating func validate() throws {
    guard (1...1_000_000).contains(peers) else { throw ValidationError("--peers is 1 to 1,000,000") }
    guard (1...1024).contains(fileChunks) else { throw ValidationError("--file-chunks is 1 to 1,024") }
    guard [1, 2, 4, 8, 16, 32, 64].contains(leaves) else { throw ValidationError("--leaves is a power of two to 64") }
    guard up >= 1, down >= 1 else { throw ValidationError("a rate is at least 1") }
    guard (0...10_000).contains(delay) else { throw ValidationError("--delay is 0 to 10,000") }
    guard (1...100).contains(zones), link >= 1 else { throw ValidationError("--zones is 1 to 100, --link at least 1") }
    guard connections >= 1, inbound >= 1, seedConnections >= 1 else { throw ValidationError("a node has connections") }
    guard (0...10).contains(churn) else { throw ValidationError("--churn is 0 to 10") }
  }

  private var plan: CrowdPlan {
    var plan = CrowdPlan()
    plan.peers = peers
    plan.seed = seed
    plan.chunks = fileChunks
    plan.leavesPerChunk = leaves
    plan.upload = up
    plan.download = down
    plan.delay = .milliseconds(delay)
    plan.connectionsMax = connections
    plan.inboundConnectionsMax = inbound
    plan.seedConnectionsMax = seedConnections
    plan.churn = churn
    plan.leavesWhenDone = leave
    plan.limitsUpload = uploadLimit
    plan.zones = zones
    plan.linkRate = link
    plan.announcesZones = announce
    return plan
  }

  func run() throws {
    let clock = ContinuousClock()
    let began = clock.now
    let plan = plan
    let outcome = Crowd.run(plan, isTraced: trace, watch: progress ? { tell($0) } : nil)
    let wall = clock.now - began
    for line in outcome.trace ?? [] { print(line) }
    let bound = plan.fluidBound
    print(
      "peers \(peers) last \(rounded(outcome.lastSeconds)) s bound \(rounded(bound)) s "
        + "ratio \(rounded(outcome.lastSeconds / bound)) mean \(rounded(outcome.meanSeconds / bound)) "
        + "spread \(rounded(outcome.spreadSeconds / bound)) first \(rounded(outcome.firstSeconds / bound)) copies \(rounded(outcome.seedCopies)) "
        + "duplicates \(rounded(outcome.duplicates * 100)) % retries \(outcome.retries) "
        + "connections \(outcome.seedConnections) at the seed, \(rounded(outcome.connectionsPerPeer)) at a peer, "
        + "events \(outcome.events) wall \(rounded(Double(wall.components.seconds) + Double(wall.components.attoseconds) / 1e18)) s "
        + "fingerprint \(String(outcome.fingerprint, radix: 16))")
    if zones > 1 {
      print("link \(rounded(outcome.linkCopies)) copies away, \(rounded(outcome.linkCopiesBack)) copies back")
    }
    if let violation = outcome.violation {
      print("a rule is broken: \(violation)")
      throw ExitCode(1)
    }
  }

  private func tell(_ progress: CrowdProgress) {
    let held = "\(rounded(progress.chunksMean)) of \(fileChunks) chunks"
    let connections = "\(rounded(progress.connectionsMean)) connections on average"
    print(
      "\(rounded(progress.seconds)) s, \(progress.events) events: \(held), \(connections), \(progress.finished) finished"
    )
  }

  private func rounded(_ number: Double) -> String {
    let thousandths = Int((number * 1000).rounded())
    let fraction = String(thousandths % 1000)
    return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
  }
}
