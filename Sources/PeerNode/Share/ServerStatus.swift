// The status of a server that runs: its peers, the files that they fetch, and the bytes sent so far.
import Posix
import Wire

/// The status of a server at one moment. Counters only grow, from 0 at its start; a rate is the difference of two.
/// Paths and names are as the file system gave them: escape before printing.
public struct ServerStatus: Hashable, Sendable {
  /// A peer that was let in and is connected.
  public struct Connection: Hashable, Sendable, Identifiable {
    /// Given to one connection of a server only.
    public let id: UInt64
    public let peer: PeerID
    /// Where it came from.
    public let address: Endpoint
    /// Since it was let in.
    public let duration: Duration
    /// File bytes sent on it.
    public let uploadedBytes: UInt64
    /// The files that it has open, relative to the served folder, in their order.
    public let openPaths: [String]
    /// The open file whose bytes were sent last; nil if there is none.
    public let sendingPath: String?
  }

  /// In the order in which they came.
  public let connections: [Connection]
  /// Connections let in since the start, also those that are over.
  public let connectionsTotal: UInt64
  /// Connections that were never let in: no handshake, a PeerID that may not, or no room.
  public let turnedAwayTotal: UInt64
  /// File bytes sent since the start, to all.
  public let uploadedBytes: UInt64
  /// Files that are served now, and their bytes.
  public let files: Int
  public let fileBytes: UInt64
  /// The folder is still being hashed: more files will be served.
  public let isScanning: Bool
  /// Since the server began to listen.
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
