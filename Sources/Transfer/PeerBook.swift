// Every address a download knows: what became of it, when to dial it next, and who is banned.
import Wire

/// Before any peer had the file an address is dialled once. Afterwards it is dialled again, 1 s, 2, 4, … up to 30 s
/// after each failure, as long as the download runs. A ban is for the download.
struct PeerBook: Sendable {
  static let redialFirst: Duration = .seconds(1)
  static let redialMax: Duration = .seconds(30)
  /// Whoever has no room is not asked again before this: in a crowd most are turned away, and each dial costs it as much as
  /// telling of others does.
  static let redialTurnedAwayFirst: Duration = .seconds(5)
  /// Addresses kept: peers tell of others, and telling cannot fill memory.
  static let addressesMax = 1024
  /// Addresses of one source that are kept at a time.
  static let addressesPerSourceMax = 16
  /// Dials of a source's addresses that came to nothing, one after another, before it is not listened to any more.
  static let vainDialsMax = 4
  /// After so many lies from one IP address, unproven peers there are tried last.
  static let liesMax = 2
  /// An address is dialled again after so many withdrawals without a chunk in between: a file that is replaced, or moved
  /// to and fro, comes back; a peer that opens only to withdraw keeps no download alive.
  static let withdrawalsMax = 3

  private enum State: Sendable { case idle, underWay, connected, banned }

  private struct Entry: Sendable {
    var pinned: PeerID?
    /// Who told of it; nil: the user, or a discovery that proves what it says.
    var source: PeerID?
    var peer: PeerID?
    var state = State.idle
    var outcome = AddressOutcome.pending
    var failures = 0
    var withdrawals = 0
    var isInitial: Bool
    /// Nobody who is trusted named it: whoever names the address anew is right about its PeerID.
    var isHint: Bool
    /// Another PeerID for the address, to be tried when what is under way there has ended.
    var nextPin: Pin?
  }

  /// Who must answer at an address.
  private enum Pin: Sendable { case anybody, only(PeerID) }

  private var entries: [PeerAddress: Entry] = [:]
  /// In order of adding.
  private var order: [PeerAddress] = []
  /// What peers told of and was not dialled yet: an entry only from then on.
  private var hints = PeerHints()
  private var hintPace = DialPace()
  private var due = DeadlineQueue<PeerAddress>()
  private var bannedPeers: Set<PeerID> = []
  private var liesByIP: [[UInt8]: Int] = [:]
  private var isDiscovering = true
  /// By source: dials that came to nothing since one of its addresses was right.
  private var vainDials: [PeerID: Int] = [:]
  /// Whether any peer has had the file.
  private(set) var isFound = false

  var deadline: Instant? { due.next }
  /// Addresses that are remembered.
  var count: Int { order.count + hints.count }
  /// Whether there is an address that peers told of to be dialled, when others are wanted.
  var hasHints: Bool { !hints.isEmpty }
  /// When the next of these may be dialled.
  var hintDeadline: Instant? { hints.isEmpty ? nil : hintPace.next }
  var reports: [AddressReport] { order.map { AddressReport(address: $0, outcome: entries[$0]!.outcome) } }
  /// Whether every address of the start has an outcome, and all of those were added.
  var isStartResolved: Bool {
    !isDiscovering && !order.contains { entries[$0]!.isInitial && entries[$0]!.outcome == .pending }
  }
  /// Whether a dial is under way or could still be tried.
  var hasProspects: Bool {
    isDiscovering || due.next != nil || hasHints
      || entries.values.contains { $0.state == .underWay || $0.state == .connected }
  }
  var isEveryAddressBanned: Bool {
    !order.isEmpty && hints.isEmpty && entries.values.allSatisfy { $0.state == .banned }
  }

  func isBanned(_ peer: PeerID) -> Bool { bannedPeers.contains(peer) }
  func isSuspect(_ ip: [UInt8]) -> Bool { liesByIP[ip, default: 0] >= PeerBook.liesMax }
  /// Whether any address may be suspect: almost always not, and then nothing need be looked up.
  var hasSuspects: Bool { !liesByIP.isEmpty }

  /// - `isHint`: somebody says so. A hint never changes what the user said; either replaces an older hint.
  mutating func add(_ address: PeerAddress, pinned: PeerID?, isHint: Bool = false, at now: Instant) {
    if let pinned, bannedPeers.contains(pinned) { return }
    if entries[address] != nil { return addAgain(address, pinned: pinned, isHint: isHint, at: now) }
    hints.remove(address)
    guard count < PeerBook.addressesMax else { return }
    entries[address] = Entry(pinned: pinned, source: nil, isInitial: isDiscovering, isHint: isHint)
    order.append(address)
    due.set(address, at: now)
  }

  private mutating func addAgain(_ address: PeerAddress, pinned: PeerID?, isHint: Bool, at now: Instant) {
    guard let known = entries[address], known.isHint, known.state != .banned else { return }
    entries[address]!.source = nil
    if !isHint {
      entries[address]!.isHint = false
      entries[address]!.isInitial = isDiscovering
    }
    guard known.pinned != pinned else { return }
    entries[address]!.nextPin = pinned.map { .only($0) } ?? .anybody
    if known.state == .idle { dialNextPin(address, at: now) }
  }

  /// Dials an idle address with the PeerID that was named last; false where that is none other.
  @discardableResult private mutating func dialNextPin(_ address: PeerAddress, at now: Instant) -> Bool {
    guard let pin = entries[address]!.nextPin.take() else { return false }
    if case .only(let peer) = pin { entries[address]!.pinned = peer } else { entries[address]!.pinned = nil }
    entries[address]!.outcome = .pending
    due.set(address, at: now)
    return true
  }

  /// A peer tells of others. Hints, of which a source has few at a time; each is dialled once, and only as long as the
  /// source's hints are worth it.
  mutating func hear(_ told: [(address: PeerAddress, pinned: PeerID)], from source: PeerID) {
    guard !told.isEmpty, vainDials[source, default: 0] < PeerBook.vainDialsMax else { return }
    let dialled = entries.values.count { $0.source == source }
    var room = PeerBook.addressesPerSourceMax - dialled - hints.count(of: source)
    for (address, pinned) in told where room > 0 && count < PeerBook.addressesMax {
      guard entries[address] == nil, !bannedPeers.contains(pinned), !hints.contains(address, or: pinned),
        !entries.values.contains(where: { $0.peer == pinned || $0.pinned == pinned })
      else { continue }
      hints.append(PeerHints.Hint(address: address, pinned: pinned, source: source))
      room -= 1
    }
  }

  /// A dial of a hint came to nothing: it is forgotten, and its place free.
  private mutating func forgetHint(_ address: PeerAddress, of source: PeerID) {
    vainDials[source, default: 0] += 1
    forget(address)
    if vainDials[source]! >= PeerBook.vainDialsMax { hints.remove(of: source) }
  }

  private mutating func forget(_ address: PeerAddress) {
    entries[address] = nil
    order.removeAll { $0 == address }
    due.cancel(address)
  }

  mutating func discoveryFinished() { isDiscovering = false }

  /// The next address to dial, if one is due; it is then under way.
  /// - `followsHints`: those that peers told of are dialled too, after the others.
  mutating func nextDial(at now: Instant, followsHints: Bool = true) -> (address: PeerAddress, pinned: PeerID?)? {
    while let address = due.popDue(at: now) {
      guard let entry = entries[address], entry.state == .idle else { continue }
      if let pinned = entry.pinned, bannedPeers.contains(pinned) {
        entries[address]!.state = .banned
        continue
      }
      if !followsHints, entry.source != nil {
        due.set(address, at: now + PeerBook.redialFirst)
        continue
      }
      entries[address]!.state = .underWay
      return (address, entry.pinned)
    }
    return followsHints ? nextHint(at: now) : nil
  }

  private mutating func nextHint(at now: Instant) -> (address: PeerAddress, pinned: PeerID?)? {
    guard hasHints, hintPace.take(at: now), let hint = hints.takeOldest() else { return nil }
    var entry = Entry(pinned: hint.pinned, source: hint.source, isInitial: false, isHint: true)
    entry.state = .underWay
    entries[hint.address] = entry
    order.append(hint.address)
    return (hint.address, hint.pinned)
  }

  mutating func connected(_ address: PeerAddress, as peer: PeerID) { entries[address]?.peer = peer }

  /// The peer there has the file: from now on failed addresses are dialled again.
  mutating func opened(_ address: PeerAddress?, at now: Instant) {
    if let address {
      entries[address]?.state = .connected
      entries[address]?.outcome = .opened
      if let source = entries[address]?.source { vainDials[source] = 0 }
    }
    guard !isFound else { return }
    isFound = true
    for address in order where entries[address]!.state == .idle && due[address] == nil { redial(address, at: now) }
  }

  /// The peer there has proved useful: its next loss counts as the first.
  mutating func proved(_ address: PeerAddress) {
    entries[address]?.failures = 0
    entries[address]?.withdrawals = 0
  }

  /// A dial or a connection came to nothing.
  mutating func ended(_ address: PeerAddress, _ outcome: AddressOutcome, at now: Instant) {
    guard let entry = entries[address], entry.state != .banned else { return }
    if let source = entry.source, entry.outcome != .opened {
      return outcome == .duplicate ? forget(address) : forgetHint(address, of: source)
    }
    let isTurnedAway = outcome == .lost(.connection(.goodbye(CloseCode.tooManyConnections.rawValue)))
    // It told of others; somebody may tell of it again.
    if isTurnedAway, entry.source != nil { return forget(address) }
    entries[address]!.outcome = outcome
    entries[address]!.state = .idle
    if dialNextPin(address, at: now) { return }
    if outcome == .duplicate { return }  // it waits for the loss of the peer that it is
    if outcome == .lost(.withdrawn) {
      entries[address]!.withdrawals += 1
      if entries[address]!.withdrawals > PeerBook.withdrawalsMax { return }
    }
    if isFound {
      redial(address, first: isTurnedAway ? PeerBook.redialTurnedAwayFirst : PeerBook.redialFirst, at: now)
    }
    if let peer = entry.peer { redialOthers(of: peer, at: now) }
  }

  /// The peer has dialled us: there is no need to dial it.
  mutating func met(_ peer: PeerID) {
    for address in order where entries[address]!.peer == peer && entries[address]!.state == .idle {
      due.cancel(address)
    }
  }

  /// The peer that had dialled us is lost: it may be found where it was before.
  mutating func missed(_ peer: PeerID, at now: Instant) { redialOthers(of: peer, at: now) }

  /// The peer there is still connected, by another connection; if not, it is dialled again.
  mutating func replaced(_ address: PeerAddress, at now: Instant) {
    guard let entry = entries[address], entry.state != .banned else { return }
    entries[address]!.state = .idle
    entries[address]!.outcome = .duplicate
    redial(address, at: now)
  }

  /// A lie: the peer and the address that was dialled are out for the download.
  mutating func ban(_ peer: PeerID, at address: PeerAddress?, ip: [UInt8]?) {
    bannedPeers.insert(peer)
    hints.remove(pinnedTo: peer)
    if let ip { liesByIP[ip, default: 0] += 1 }
    for known in order where known == address || entries[known]!.peer == peer || entries[known]!.pinned == peer {
      entries[known]!.state = .banned
      entries[known]!.outcome = .lied
      due.cancel(known)
    }
  }

  /// The address is our own: never again.
  mutating func dismiss(_ address: PeerAddress, _ outcome: AddressOutcome) {
    entries[address]?.outcome = outcome
    entries[address]?.state = .banned
    due.cancel(address)
  }

  private mutating func redial(_ address: PeerAddress, first: Duration = PeerBook.redialFirst, at now: Instant) {
    let failures = entries[address]!.failures
    let delay = min(first * (1 << min(failures, 16)), PeerBook.redialMax)
    entries[address]!.failures = failures + 1
    due.set(address, at: now + delay)
  }

  /// A peer that is lost may be found at its other addresses.
  private mutating func redialOthers(of peer: PeerID, at now: Instant) {
    guard isFound else { return }
    for other in order where entries[other]!.peer == peer && entries[other]!.state == .idle && due[other] == nil {
      redial(other, at: now)
    }
  }
}
