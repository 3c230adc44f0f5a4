// The plan of a flash crowd: one complete seed, and downloaders that arrive together and know only the seed.
import Content
import Transfer
import Wire

/// Everything that is fixed before time starts. Rates are in bytes per second, as if chunks had 1 MiB.
public struct CrowdPlan: Sendable {
  /// The number of downloaders that must finish.
  public var peers = 6
  /// The seed of all random choices.
  public var seed: UInt64 = 0
  public var chunks = 100
  /// 1…64, a power of two. With fewer, larger leaves a large crowd is cheaper to simulate. Four leaves fit in a frame.
  public var leavesPerChunk = 64
  public var upload = 10e6
  public var download = 10e6
  public var delay = Duration.milliseconds(1)
  /// Connections that a downloader dials or fetches from.
  public var connectionsMax = 50
  /// Connections that a downloader admits from other peers.
  public var inboundConnectionsMax = ConnectionPlaces.establishedStandard
  /// Connections of the seed.
  public var seedConnectionsMax = 1024
  /// All downloaders arrive within this time.
  public var arrival = Duration.milliseconds(200)
  /// Extra downloaders for each that must finish. They arrive at random times and leave unfinished, without a GOODBYE.
  public var churn = 0.0
  /// Whether downloaders that have finished leave at once. If not, they serve until all have finished.
  public var leavesWhenDone = false
  /// The number of zones. Nodes are assigned in turn, the seed to the first. All traffic between zones shares a link.
  public var zones = 1
  /// The rate of the link between zones, in bytes per second and direction.
  public var linkRate = 1.25e6
  /// Whether the nodes announce their zones (`--zone`) and so know each other's.
  public var announcesZones = true
  /// Whether each node knows its upload rate (`--upload-limit`), and so knows when it is fully used.
  public var limitsUpload = true

  public init() {}

  /// Bytes of a leaf in memory. On the links all leaves of a chunk together count as 1 MiB.
  static let leafSize = 16
  var layout: ChunkLayout {
    ChunkLayout(
      fileLength: UInt64(chunks * leavesPerChunk * CrowdPlan.leafSize), chunkSize: leavesPerChunk * CrowdPlan.leafSize,
      leafSize: CrowdPlan.leafSize)!
  }
  /// Bytes on a link for each byte of a leaf in memory.
  var linkBytesPerByte: Int { ChunkLayout.wireChunkSize / (leavesPerChunk * CrowdPlan.leafSize) }
  /// The file's length on the links.
  public var fileBytes: Double { Double(chunks) * Double(ChunkLayout.wireChunkSize) }

  /// A lower bound for the time in seconds to distribute the file: max(F/u_seed, F/d_min, N·F/(u_seed + Σu)).
  public var fluidBound: Double {
    let count = Double(peers)
    return fileBytes * max(1 / upload, 1 / download, count / (upload + count * upload))
  }

  func zone(of number: Int) -> Int { number % zones }

  /// Returns the zone that a node announces. Nil: none.
  func zoneName(of number: Int) -> ZoneName? {
    zones > 1 && announcesZones ? ZoneName("zone\(zone(of: number))") : nil
  }

  func settings(of number: Int, _ member: PeerID) -> DownloadSettings {
    var settings = DownloadSettings()
    settings.zone = zoneName(of: number).map { ZoneMembership(name: $0, member: member) }
    settings.shares = true
    settings.connectionsMax = connectionsMax
    return settings
  }
}

/// The progress of a run, for a user who waits for it.
public struct CrowdProgress: Sendable {
  /// Virtual time.
  public let seconds: Double
  public let events: Int
  /// Downloaders that have the file.
  public let finished: Int
  /// Whole chunks and connections of a downloader, on average.
  public let chunksMean: Double
  public let connectionsMean: Double
}

/// The result of a run.
public struct CrowdOutcome: Sendable {
  /// The first rule that was broken, with its time. Nil: none.
  public var violation: String?
  /// When the first and the last downloader had the file, and the mean, in seconds.
  public var firstSeconds = 0.0
  public var lastSeconds = 0.0
  public var meanSeconds = 0.0
  /// When the seed had sent every leaf of the file at least once, in seconds.
  public var spreadSeconds = 0.0
  /// Bytes that the seed uploaded, divided by the file's length.
  public var seedCopies = 0.0
  /// Bytes that left the first zone, and bytes that came back to it, divided by the file's length.
  public var linkCopies = 0.0
  public var linkCopiesBack = 0.0
  /// Bytes that downloaders received although they had them, as a fraction of all bytes that they needed.
  public var duplicates = 0.0
  /// The highest number of connections at one time: of the seed, and of a downloader on average.
  public var seedConnections = 0
  public var connectionsPerPeer = 0.0
  public var retries = 0
  public var events = 0
  /// A hash of all that happened. Two runs are the same if it is equal.
  public var fingerprint: UInt64 = 0
  /// One line for each thing that happened. Nil unless it was requested.
  public var trace: [String]?
}
