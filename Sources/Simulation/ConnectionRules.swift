// The rules of several connections to one peer: which one stays, and which one takes its place.
//
// As in the rule book nothing here calls into the engine.
import Transfer
import Wire

/// The book of the connections of one getter's process.
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

  /// The download hears of a connection: of a new one, or of one that has waited as a spare.
  mutating func began(_ id: ConnectionID, with peer: PeerID) {
    if let line = lines[id], !line.isSpare { breakRule("a connection to \(peer) is used twice") }
    lines[id] = Line(peer: peer)
  }

  /// The download gives a connection up. Returns whether the getter keeps it open.
  ///
  /// A liar goes, and so does a connection that the getter dialled and does not need. What a peer dialled may still serve
  /// the peer, so it stays, unless the getter has dialled as well and has the smaller PeerID.
  mutating func givesUp(_ id: ConnectionID, _ reason: DisconnectReason) -> Bool {
    guard let line = lines[id], id.isInbound, reason != .banned else { return false }
    guard reason == .duplicate else { return true }
    let hasDialled = lines.contains { !$0.key.isInbound && $0.value.peer == line.peer }
    lines[id]!.isSpare = true
    return !(hasDialled && own < line.peer)
  }

  /// A connection is gone.
  mutating func ended(_ id: ConnectionID) { lines[id] = nil }

  /// After each step: a spare connection waits only while another one to its peer is there.
  mutating func settle() {
    for line in lines.values where line.isSpare {
      let isNeeded = !lines.values.contains { $0.peer == line.peer && !$0.isSpare }
      if isNeeded { breakRule("the spare connection to \(line.peer) is not used") }
    }
  }
}
