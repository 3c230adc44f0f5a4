// Of several connections between this node and one peer: which one stays, and which one waits as a spare.
import Wire

/// The end that dials decides here; the end that listens decides in `ConnectionAdmission`. Does no I/O and reads no clock.
///
/// A connection that this node dialled is closed as soon as it turns out to be one too many. A connection that the peer
/// dialled may still serve the peer, so it stays as a spare, unless both ends dialled one. Then both ends keep the one
/// that the smaller PeerID dialled.
///
/// Source: `Protocol/README.md`, "Duplicate connections".
public struct DuplicateConnections: Sendable {
  /// The fate of a connection that the download gives up.
  public enum Verdict: Hashable, Sendable {
    /// Close it with the reason's code.
    case close
    /// Keep it open, unused. If it is one too many, it is used once the used one is lost.
    case keep
    /// The used one is lost already: use this one, which waits, or the one that was judged.
    case use(ConnectionID)
  }

  private struct Entry: Sendable {
    let peer: PeerID
    var isSpare = false
  }

  private let own: PeerID
  private var entries: [ConnectionID: Entry] = [:]

  /// - `own`: the PeerID of this node, as its peers see it.
  public init(own: PeerID) { self.own = own }

  /// The handshake of a connection is done.
  public mutating func began(_ id: ConnectionID, with peer: PeerID) { entries[id] = Entry(peer: peer) }

  /// The download gives a connection up. One that the peer dialled may still serve the peer.
  public mutating func giveUp(_ id: ConnectionID, _ reason: DisconnectReason) -> Verdict {
    switch reason {
    case .banned: .close
    case .done: id.isInbound ? .keep : .close
    case .duplicate: judge(id)
    }
  }

  /// Another connection to the same peer is in use already.
  public mutating func judge(_ id: ConnectionID) -> Verdict {
    guard id.isInbound, var entry = entries[id] else { return .close }
    let others = entries.filter { $0.value.peer == entry.peer && $0.key != id }
    if own < entry.peer, others.contains(where: { !$0.key.isInbound }) { return .close }
    entry.isSpare = true
    entries[id] = entry
    return others.contains { !$0.value.isSpare } ? .keep : .use(takeSpare(of: entry.peer) ?? id)
  }

  /// A connection is gone. Returns the spare one that takes its place.
  public mutating func ended(_ id: ConnectionID) -> ConnectionID? {
    entries.removeValue(forKey: id).flatMap { takeSpare(of: $0.peer) }
  }

  /// The oldest spare connection to a peer, which is a spare no longer.
  private mutating func takeSpare(of peer: PeerID) -> ConnectionID? {
    guard let id = entries.filter({ $0.value.peer == peer && $0.value.isSpare }).keys.min() else { return nil }
    entries[id] = Entry(peer: peer)
    return id
  }
}
