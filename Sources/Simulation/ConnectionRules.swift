// Rules for several connections to one peer: which one is kept, and which one takes its place.
//
// As the rule book, this file calls nothing of the engine.
import Transfer
import Wire

/// The rules' records of the connections of one getter process.
struct ConnectionRules {
  private struct Line {
    let peer: PeerID
    var isSpare = false
  }

  private let own: PeerID
  private var lines: [ConnectionID: Line] = [:]
  private(set) var broken: String?

  /// - `own`: the PeerID of the getter.
  init(own: PeerID) { self.own = own }

  private mutating func breakRule(_ rule: String) { if broken == nil { broken = rule } }

  /// The download is told that it may use a connection: a new one, or one that was a spare.
  mutating func began(_ id: ConnectionID, with peer: PeerID) {
    if let line = lines[id], !line.isSpare { breakRule("a connection to \(peer) is used twice") }
    lines[id] = Line(peer: peer)
  }

  /// The download gives a connection up. Returns whether the getter keeps it open.
  ///
  /// The connection is closed if the peer lied, or if the getter dialled it and does not need it. A connection that the
  /// peer dialled may still serve the peer, so it is kept, unless the getter has dialled too and has the smaller
  /// PeerID.
  mutating func givesUp(_ id: ConnectionID, _ reason: DisconnectReason) -> Bool {
    guard let line = lines[id], id.isInbound, reason != .banned else { return false }
    guard reason == .duplicate else { return true }
    let hasDialled = lines.contains { !$0.key.isInbound && $0.value.peer == line.peer }
    lines[id]!.isSpare = true
    return !(hasDialled && own < line.peer)
  }

  /// A connection has ended.
  mutating func ended(_ id: ConnectionID) { lines[id] = nil }

  /// Checks after each step that each spare connection is kept beside another connection to its peer.
  mutating func settle() {
    for line in lines.values where line.isSpare {
      let isNeeded = !lines.values.contains { $0.peer == line.peer && !$0.isSpare }
      if isNeeded { breakRule("the spare connection to \(line.peer) is not used") }
    }
  }
}
