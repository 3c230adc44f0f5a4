// Which of several connections between this node and one peer stays, and which one waits as a spare.
import Wire

/// Decides for the end that dials; `ConnectionAdmission` decides for the end that listens. Does no I/O and reads no
/// clock.
///
/// A connection that this node dialled is closed as soon as it proves to be a duplicate. A connection that the peer
/// dialled may still serve the peer, so it stays as a spare. But if both ends dialled one, both keep the one that the
/// end with the smaller PeerID dialled.
///
/// Source: `Protocol/README.md`, "Duplicate connections".
public struct DuplicateConnections: Sendable {
  /// The fate of a connection that the download gives up.
  public enum Verdict: Hashable, Sendable {
    /// Close it with the reason's code.
    case close
    /// Keep it open, unused. A duplicate is used once the connection in use is lost.
    case keep
    /// The connection in use is lost already: use this one, which is a spare or the one that was judged.
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

  /// Enters a connection whose handshake is done.
  public mutating func began(_ id: ConnectionID, with peer: PeerID) { entries[id] = Entry(peer: peer) }

  /// Decides about a connection that the download gives up. A connection that the peer dialled may still serve the
  /// peer.
  public mutating func giveUp(_ id: ConnectionID, _ reason: DisconnectReason) -> Verdict {
    switch reason {
    case .banned: .close
    case .done: id.isInbound ? .keep : .close
    case .duplicate: judge(id)
    }
  }

  /// Decides about a connection to a peer to which another connection is in use already.
  public mutating func judge(_ id: ConnectionID) -> Verdict {
    guard id.isInbound, var entry = entries[id] else { return .close }
    let others = entries.filter { $0.value.peer == entry.peer && $0.key != id }
    if own < entry.peer, others.contains(where: { !$0.key.isInbound }) { return .close }
    entry.isSpare = true
    entries[id] = entry
    return others.contains { !$0.value.isSpare } ? .keep : .use(takeSpare(of: entry.peer) ?? id)
  }

  /// Forgets a connection that is lost. Returns the spare that takes its place; nil if there is none.
  public mutating func ended(_ id: ConnectionID) -> ConnectionID? {
    entries.removeValue(forKey: id).flatMap { takeSpare(of: $0.peer) }
  }

  /// Returns the oldest spare connection to a peer, which stops being a spare.
  private mutating func takeSpare(of peer: PeerID) -> ConnectionID? {
    guard let id = entries.filter({ $0.value.peer == peer && $0.value.isSpare }).keys.min() else { return nil }
    entries[id] = Entry(peer: peer)
    return id
  }
}
