// What a download may use.
import Content

/// In which order chunks are chosen.
public enum ChunkOrder: Hashable, Sendable {
  case rarestFirst
  /// In order, at most this many chunks ahead of what was consumed (`-o -`: 16).
  case inOrder(windowChunks: Int)
}

/// The parameters of a download; the defaults are those of the engine. A download whose settings have a `fault` throws it
/// before it asks a peer.
public struct DownloadSettings: Hashable, Sendable {
  /// Workers in parallel, 1…1,024; with fewer peers, as many as peers.
  public var maxWorkers = 8
  /// Retries of one chunk or page, 0…1,000. One is spent when each peer that has it has failed or left; four leaves of a chunk
  /// that are verified meanwhile give them back.
  public var maxRetries = 3
  /// For one chunk, one page, one answer to OPEN; and for being without any usable peer. More than zero, at most a day.
  public var chunkTimeout: Duration = .seconds(30)
  /// The part of the content that is fetched. Leaves that are on the disk already are not among the wanted ones.
  public var wanted = WantedLeaves.all
  /// Which chunks come first.
  public var order: ChunkOrder = .rarestFirst
  /// Requests in flight on one connection, 1…64.
  public var requestsInFlightMax = 16
  /// Chunk hashes in a page, from 1: 1,024 on the wire.
  public var chunksPerPage = 1024
  /// Connections and dials together, from 1.
  public var connectionsMax = 50
  /// Dials under way, from 1.
  public var dialsMax = 16
  /// Whether the download offers what it fetched to other peers. Then it fetches chunks in a random order at first.
  public var shares = false
  /// Whether the download follows hints of peers.
  public var hears = true
  /// The zone of this node. Nil: zones play no part.
  public var zone: ZoneMembership?
  /// Whether a late chunk may be asked of a second peer.
  public var hedges = true
  /// How long the download waits for peers when it would otherwise end without its file.
  public var patience = PeerPatience.none

  /// The defaults: 8 workers, 3 retries, 30 s.
  public init() {}
}
