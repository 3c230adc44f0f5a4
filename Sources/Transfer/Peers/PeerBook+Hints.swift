// Hints: addresses that peers name. Few are kept, and hints of a source are dialled only while its earlier ones were
// useful.
import Wire

extension PeerBook {
  /// How many addresses of one source are kept at a time.
  static let addressesPerSourceMax = 16
  /// How many hints of all sources in one address group are kept at a time: a stranger may have any number of PeerIDs.
  static let addressesPerGroupMax = 4 * addressesPerSourceMax
  /// After this many failed dials in a row the hints of a source are ignored.
  static let vainDialsMax = 4
  /// The same limit for all sources of one address group.
  static let vainDialsPerGroupMax = 4 * vainDialsMax

  /// A peer that sent a hint.
  struct Source: Hashable, Sendable {
    let peer: PeerID
    /// Nil if its address is unknown.
    let group: AddressGroup?
  }

  /// Takes hints that a peer sent. Few of one source, and of one group, are kept at a time. Each is dialled once, and
  /// only while dials of earlier ones succeed.
  mutating func hear(_ told: [(address: PeerAddress, pinned: PeerID)], from source: Source) {
    guard !told.isEmpty, isBelieved(source) else { return }
    var room = PeerBook.addressesPerSourceMax
    room -= entries.values.count { $0.source?.peer == source.peer } + hints.count { $0.source.peer == source.peer }
    if let group = source.group {
      let ofGroup = entries.values.count { $0.source?.group == group } + hints.count { $0.source.group == group }
      room = min(room, PeerBook.addressesPerGroupMax - ofGroup)
    }
    for (address, pinned) in told where room > 0 && count < PeerBook.addressesMax {
      guard entries[address] == nil, !isBanned(pinned), !hints.contains(address, or: pinned),
        !entries.values.contains(where: { $0.peer == pinned || $0.pinned == pinned })
      else { continue }
      hints.append(PeerHints.Hint(address: address, pinned: pinned, source: source))
      room -= 1
    }
  }

  private func isBelieved(_ source: Source) -> Bool {
    vainDials[source.peer] ?? 0 < PeerBook.vainDialsMax
      && source.group.flatMap { vainDialsOfGroup[$0] } ?? 0 < PeerBook.vainDialsPerGroupMax
  }

  /// Forgets a hint whose dial failed, which makes room for another one.
  mutating func forgetHint(_ address: PeerAddress, of source: Source) {
    vainDials[source.peer] = (vainDials[source.peer] ?? 0) + 1
    if let group = source.group { vainDialsOfGroup[group] = (vainDialsOfGroup[group] ?? 0) + 1 }
    forget(address)
    if !isBelieved(source) { hints.remove(of: source) }
  }

  /// Clears the failures of a source and its group, because a hint of the source was right.
  mutating func believe(_ source: Source) {
    vainDials[source.peer] = nil
    if let group = source.group { vainDialsOfGroup[group] = nil }
  }

  mutating func nextHint(at now: Instant) -> (address: PeerAddress, pinned: PeerID?)? {
    guard hasHints, hintPace.take(at: now), let hint = hints.takeOldest() else { return nil }
    var entry = Entry(pinned: hint.pinned, source: hint.source, isInitial: false, isHint: true)
    entry.state = .underWay
    entries[hint.address] = entry
    return (hint.address, hint.pinned)
  }
}
