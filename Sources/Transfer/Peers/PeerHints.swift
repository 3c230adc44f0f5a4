// Addresses that peers named and that were not dialled yet, in the order in which they came.
import Wire

/// A few hints of each source. A peer in a large swarm hears of hundreds of addresses and dials a handful. A hint costs
/// about 100 bytes, no allocation and no timer.
struct PeerHints: Sendable {
  struct Hint: Sendable {
    let address: PeerAddress
    let pinned: PeerID
    /// The peer that sent it.
    let source: PeerBook.Source
  }

  private var hints: [Hint] = []

  var count: Int { hints.count }
  var isEmpty: Bool { hints.isEmpty }
  var oldest: Hint? { hints.first }

  func count(where matches: (Hint) -> Bool) -> Int { hints.count(where: matches) }

  /// Returns whether a hint names the address, or the peer at any address.
  func contains(_ address: PeerAddress, or peer: PeerID) -> Bool {
    hints.contains { $0.pinned == peer || $0.address == address }
  }

  mutating func append(_ hint: Hint) { hints.append(hint) }
  mutating func remove(_ address: PeerAddress) { hints.removeAll { $0.address == address } }
  mutating func remove(of source: PeerBook.Source) { hints.removeAll { $0.source == source } }
  mutating func remove(pinnedTo peer: PeerID) { hints.removeAll { $0.pinned == peer } }

  mutating func takeOldest() -> Hint? { hints.isEmpty ? nil : hints.removeFirst() }
}
