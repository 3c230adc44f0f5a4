// What a flash crowd is made of: one complete seed, and downloaders that all come at once and know only the seed.
import Content
import Transfer
import Wire

/// Everything that is decided before time starts. Rates are in bytes a second of a file whose chunks are 1 MiB.
public struct CrowdPlan: Sendable {
  /// Downloaders that are to finish.
  public var peers = 6
  /// Of all chance.
  public var seed: UInt64 = 0
  public var chunks = 100
  /// 1…64, a power of two. Fewer leaves of more bytes each make a large crowd cheaper to play; four go into a frame.
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
  /// All arrive within this time.
  public var arrival = Duration.milliseconds(200)
  /// So many more downloaders for each that is to finish arrive at random times, and leave again, without a word, before
  /// they have finished.
  public var churn = 0.0
  /// Whether who has finished goes at once, instead of serving until all have.
  public var leavesWhenDone = false
  /// Zones that the nodes are in by turns, the seed in the first. With several, all traffic between zones shares a link.
  public var zones = 1
  /// Bytes a second of the link between zones, in each direction.
  public var linkRate = 1.25e6
  /// Whether the nodes announce their zones (`--zone`), and so know of them.
  public var announcesZones = true
  /// Whether each node knows its upload (`--upload-limit`), and so knows when it is full.
  public var limitsUpload = true

  public init() {}

  /// Bytes of a leaf in memory, which stand for as many of a chunk of 1 MiB as there are leaves.
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

  /// The time in seconds that no way of distributing the file can beat:
  /// max(F/u_seed, F/d_min, N·F/(u_seed + Σu)).
  public var fluidBound: Double {
    let count = Double(peers)
    return fileBytes * max(1 / upload, 1 / download, count / (upload + count * upload))
  }

  func zone(of number: Int) -> Int { number % zones }

  /// The zone that a node announces; nil: none.
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

/// How far a crowd is, for who waits for it.
public struct CrowdProgress: Sendable {
  /// Of virtual time.
  public let seconds: Double
  public let events: Int
  /// Downloaders that have the file.
  public let finished: Int
  /// Whole chunks, and connections, that a downloader has on average.
  public let chunksMean: Double
  public let connectionsMean: Double
}

/// What a crowd came to.
public struct CrowdOutcome: Sendable {
  /// The rule that was broken, with its time; nil: none.
  public var violation: String?
  /// When the first and the last downloader had the file, in seconds, and the mean.
  public var firstSeconds = 0.0
  public var lastSeconds = 0.0
  public var meanSeconds = 0.0
  /// When the seed had sent all of the file to anyone.
  public var spreadSeconds = 0.0
  /// What the seed uploaded, in files.
  public var seedCopies = 0.0
  /// Bytes of the file that went from the first zone to others, and the other way, in files.
  public var linkCopies = 0.0
  public var linkCopiesBack = 0.0
  /// Verified bytes that downloaders had already, as a part of all that they were to get.
  public var duplicates = 0.0
  /// The most connections at a time of the seed, and of a downloader on average.
  public var seedConnections = 0
  public var connectionsPerPeer = 0.0
  public var retries = 0
  public var events = 0
  /// Changes with anything that happens: two runs are the same if it is.
  public var fingerprint: UInt64 = 0
  /// A line for everything that happened; nil where it was not asked for.
  public var trace: [String]?
}
