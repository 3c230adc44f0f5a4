// The status of a running server: its peers, the files that they fetch, and the bytes sent so far.
import Posix
import Wire

/// The status of a server at one moment. Counters start at 0 and only grow; a rate is the difference of two. Paths and
/// names come unchanged from the file system: escape them before printing.
public struct ServerStatus: Hashable, Sendable {
  /// A connection of an admitted peer.
  public struct Connection: Hashable, Sendable, Identifiable {
    /// Unique among all connections of the server.
    public let id: UInt64
    public let peer: PeerID
    /// The address of the peer.
    public let address: Endpoint
    /// The time since the peer was admitted.
    public let duration: Duration
    /// File bytes sent on it.
    public let uploadedBytes: UInt64
    /// The paths of its open files, relative to the served folder and sorted.
    public let openPaths: [String]
    /// The open file whose bytes were sent last; nil if there is none.
    public let sendingPath: String?
  }

  /// In the order in which they were admitted.
  public let connections: [Connection]
  /// Connections admitted since the start, including ended ones.
  public let connectionsTotal: UInt64
  /// Connections that were never admitted: the handshake failed, the PeerID is not allowed, or there was no place.
  public let turnedAwayTotal: UInt64
  /// File bytes sent since the start to all peers.
  public let uploadedBytes: UInt64
  /// Files that are served now.
  public let files: Int
  public let fileBytes: UInt64
  /// Whether files are still being hashed: more will be served.
  public let isScanning: Bool
  /// The time since the server started.
  public let uptime: Duration
}

extension NodeContext {
  var status: ServerStatus {
    let totals = records.totals
    let served = offered.served
    return ServerStatus(
      connections: records.connections, connectionsTotal: totals.admitted, turnedAwayTotal: totals.turnedAway,
      uploadedBytes: uploaded, files: served.files, fileBytes: served.bytes, isScanning: isScanning,
      uptime: .nanoseconds(Clock.monotonicNanoseconds - startedNanoseconds))
  }
}
