// The counters of a node since its start, for monitoring.
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// The numbers of a node at one moment. Counts are since the start.
public struct NodeFigures: Sendable {
  /// The party that ended a connection, and the reason: one of a fixed set of words, never text from a peer.
  public struct End: Hashable, Sendable {
    public enum Party: String, Sendable { case us, peer, network }
    public let by: Party
    public let reason: String

    /// Every possible end of a connection whose peer proved its PeerID.
    public static let afterHandshake =
      CloseCode.allCases.flatMap { [End(.local($0, "")), End(.remote($0, ""))] }
      + [End(by: .network, reason: "broken"), End(.truncated), End(.violation("")), End(.lied(""))]
    /// Every possible end of a connection before its peer proved its PeerID.
    public static let beforeHandshake =
      [CloseCode.shuttingDown, .tooManyConnections, .notAllowed, .duplicateConnection].map { End(.local($0, "")) }
      + [
        End(by: .network, reason: "broken"), End(.truncated), End(.silent), End(by: .us, reason: "handshake"),
        End(.handshake(.authenticationFailed)),
      ]
  }

  /// Incoming connections that are open now, with their handshakes done.
  public internal(set) var connections = 0
  /// Incoming connections that were accepted.
  public internal(set) var accepted: UInt64 = 0
  /// Accepted connections whose peers proved their PeerIDs.
  public internal(set) var established: UInt64 = 0
  /// The ends of accepted connections whose peers had proved their PeerIDs.
  public internal(set) var ended: [End: UInt64] = [:]
  /// The ends of accepted connections whose peers had not proved their PeerIDs.
  public internal(set) var turnedAway: [End: UInt64] = [:]
  /// Files opened by peers.
  public internal(set) var opens: UInt64 = 0
  /// Requests that were answered completely.
  public internal(set) var requests: UInt64 = 0
  /// File bytes sent.
  public internal(set) var uploadedBytes: UInt64 = 0
  /// File bytes sent, by the zones of the peers. Nil: the node is in no zone.
  public internal(set) var uploadedByZone: ZoneBytes?
  /// Withdrawn files by reason. Every possible reason is a key from the start.
  public internal(set) var withdrawals: [Withdrawn.Reason: UInt64] = [.changed: 0, .removed: 0, .unreadable: 0]
  /// Files that were withdrawn because they changed or could not be read.
  public var withdrawn: UInt64 { withdrawals.values.reduce(0, +) }
  /// Files served now, and their bytes.
  public internal(set) var files = 0
  public internal(set) var fileBytes: UInt64 = 0
  /// In the latest batch of files: bytes hashed so far, and bytes in all.
  public internal(set) var hashedBytes: UInt64 = 0
  public internal(set) var bytesToHash: UInt64 = 0
  /// Whether the first scan still runs.
  public internal(set) var isScanning = false
  /// How often the system could not accept a connection because descriptors or memory ran out.
  public internal(set) var acceptFailures: UInt64 = 0
}

/// Counts events. Any thread may call it.
final class NodeCounters: Sendable {
  private let figures = Mutex(NodeFigures())
  /// Outside the lock, since it is counted for every chunk.
  private let requests = Atomic<UInt64>(0)

  func accepted() { figures.withLock { $0.accepted += 1 } }
  func withdrew(_ reason: Withdrawn.Reason) { figures.withLock { $0.withdrawals[reason, default: 0] += 1 } }
  func answered() { requests.add(1, ordering: .relaxed) }

  func note(_ event: NodeEvent) {
    figures.withLock { figures in
      switch event {
      case .connected: figures.established += 1
      case .disconnected(_, _, let end): figures.ended[NodeFigures.End(end), default: 0] += 1
      case .turnedAway(_, let end): figures.turnedAway[NodeFigures.End(end), default: 0] += 1
      case .opened: figures.opens += 1
      case .cannotAccept: figures.acceptFailures += 1
      case .withdrawn, .uploaded, .notDiscoverable: break
      }
    }
  }

  func note(_ event: CatalogueEvent) {
    guard case .progress(let progress) = event else { return }
    figures.withLock { ($0.hashedBytes, $0.bytesToHash) = (progress.bytesDone, progress.bytesTotal) }
  }

  /// The numbers counted here. The node fills in the others.
  var counted: NodeFigures {
    var counted = figures.withLock { $0 }
    counted.requests = requests.load(ordering: .relaxed)
    return counted
  }
}

extension NodeFigures.End {
  init(_ end: ConnectionEnd) {
    switch end {
    case .local(let code, _): self.init(by: .us, reason: code.label)
    case .remote(let code, _): self.init(by: .peer, reason: code.label)
    case .broken: self.init(by: .network, reason: "broken")
    case .truncated: self.init(by: .network, reason: "cut")
    case .silent: self.init(by: .us, reason: "silent")
    case .handshake(.authenticationFailed), .handshake(.patternMismatch): self.init(by: .us, reason: "wrong_key")
    case .handshake: self.init(by: .us, reason: "handshake")
    case .violation: self.init(by: .us, reason: "protocol_error")
    case .lied: self.init(by: .us, reason: "bad_data")
    case .withdrawn: self.init(by: .peer, reason: "withdrawn")
    case .refused: self.init(by: .peer, reason: "refused")
    }
  }
}

extension CloseCode {
  /// The code as one word for programs, with `_` between its parts.
  fileprivate var label: String { words.map { $0 == " " ? "_" : "\($0)" }.joined() }
}
