// The settings of a download, and their defaults.
import Content

/// The order in which chunks are chosen.
public enum ChunkOrder: Hashable, Sendable {
  case rarestFirst
  /// From first to last, at most this many chunks ahead of the reader (`-o -`: 16).
  case inOrder(windowChunks: Int)
}

/// The parameters of a download. A download whose settings have a `fault` throws it before it asks a peer.
public struct DownloadSettings: Hashable, Sendable {
  /// Parallel workers, 1…1,024. With fewer peers, as many workers as peers.
  public var maxWorkers = 8
  /// Retries of one chunk or page, 0…1,000. One is spent when every peer that has it has failed or left. Four verified
  /// leaves of a chunk reset its retries.
  public var maxRetries = 3
  /// The timeout of one chunk, one page and one answer to OPEN, and of the time without any usable peer. More than
  /// zero, at most a day.
  public var chunkTimeout: Duration = .seconds(30)
  /// The leaves of the content to fetch. Leaves that are on the disk already are not among them.
  public var wanted = WantedLeaves.all
  /// Which chunks come first.
  public var order: ChunkOrder = .rarestFirst
  /// Requests in flight on one connection, 1…64.
  public var requestsInFlightMax = 16
  /// Chunk hashes in a page, at least 1: 1,024 in the protocol.
  public var chunksPerPage = 1024
  /// Connections and dials together, at least 1.
  public var connectionsMax = 50
  /// Dials under way, at least 1.
  public var dialsMax = 16
  /// Whether the download offers its verified chunks to other peers. Then it fetches the first chunks in a random
  /// order.
  public var shares = false
  /// Whether the download follows hints of peers.
  public var hears = true
  /// The zone of this node. Nil: the download ignores zones.
  public var zone: ZoneMembership?
  /// Whether a late chunk may be asked of a second peer.
  public var hedges = true
  /// How long the download waits for peers when it would otherwise end without its file.
  public var patience = PeerPatience.none

  /// The defaults: 8 workers, 3 retries, 30 s.
  public init() {}
}
