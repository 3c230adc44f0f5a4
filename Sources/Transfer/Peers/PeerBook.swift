// Every address that a download knows: its outcome, the next dial, and the bans.
import Wire

/// Until a peer with the file is found, an address is dialled once, or a few times if its peer has no room. Then it is
/// dialled again 1 s, 2 s, 4 s, … up to 30 s after each failure. A ban lasts for the download.
struct PeerBook: Sendable {
  static let redialFirst: Duration = .seconds(1)
  static let redialMax: Duration = .seconds(30)
  /// The shortest delay before a peer without room is dialled again: in a crowd most peers turn newcomers away, and
  /// each dial costs them as much as a PEERS message.
  static let redialTurnedAwayFirst: Duration = .seconds(5)
  /// Addresses kept, unless the user named more: peers send hints, and hints cannot fill memory.
  static let addressesMax = 1024
  /// After this many lies from one address group, its unproven peers are asked last.
  static let liesMax = 2
  /// How many PeerIDs stay banned. A liar that returns after as many others is unproven, so its lie costs no retry.
  static let bannedMax = 4096
  /// How many sources and address groups are remembered for failed hints or lies.
  static let sourcesMax = 1024
  /// How often an address is dialled again after withdrawals without a chunk in between. A file that is replaced or
  /// moved comes back, but a peer that opens the file only to withdraw it must not keep a download alive.
  static let withdrawalsMax = 3

  /// How often an address that closes as a duplicate is dialled again, until a peer with the file is found.
  static let replacedBeforeFoundMax = 2
  /// How often an address without room is dialled again, until a peer with the file is found: after 5, 10 and 20 s. The
  /// peer exists, and has room once others are done.
  static let turnedAwayBeforeFoundMax = 3

  /// The longest delay before a named address is dialled again, if the download waits for peers. A peer that comes back
  /// is found within this time, and a dial costs one packet.
  static let redialPatientMax: Duration = .seconds(10)
  /// If the download waits for peers, it forgets an address from a discovery after this many failed dials, about 2 min.
  static let vainRedialsMax = 8

  /// Whether the download waits for peers: failed addresses are dialled again even before a peer with the file is
  /// found.
  let isPatient: Bool
  var entries = OrderedTable<PeerAddress, Entry>()
  /// Hints that were not dialled yet. A dial makes an entry of a hint.
  var hints = PeerHints()
  var hintPace = DialPace()
  /// The next dials of addresses that the user named; `due` holds all others.
  private var namedDue = DeadlineQueue<PeerAddress>()
  private var due = DeadlineQueue<PeerAddress>()
  private var bannedPeers = RecentTable<PeerID, Void>(capacity: PeerBook.bannedMax)
  private var lies = RecentTable<AddressGroup, Int>(capacity: PeerBook.sourcesMax)
  private var isDiscovering = true
  /// Failed dials of hints, by source and by group, since a hint of that source or group was right.
  var vainDials = RecentTable<PeerID, Int>(capacity: PeerBook.sourcesMax)
  var vainDialsOfGroup = RecentTable<AddressGroup, Int>(capacity: PeerBook.sourcesMax)
  /// Whether any peer has had the file.
  private(set) var isFound = false

  /// - `isPatient`: whether the download waits for peers.
  init(isPatient: Bool = false) { self.isPatient = isPatient }

  /// When an address that the user named may be dialled, and when any other.
  var namedDeadline: Instant? { namedDue.next }
  var deadline: Instant? { due.next }
  /// How many addresses are remembered.
  var count: Int { entries.count + hints.count }
  /// Whether there is a hint to dial.
  var hasHints: Bool { !hints.isEmpty }
  /// When the next hint may be dialled.
  var hintDeadline: Instant? { hints.isEmpty ? nil : hintPace.next }
  var reports: [AddressReport] { entries.map { AddressReport(address: $0, outcome: $1.outcome) } }
  /// Whether the first discovery is over and every address from the start has an outcome.
  var isStartResolved: Bool {
    !isDiscovering && !entries.values.contains { $0.isInitial && $0.outcome == .pending }
  }
  /// Whether a dial is under way or could still be tried.
  var hasProspects: Bool {
    if isPatient, !isFound { return isAnyUntried }
    return isDiscovering || due.next != nil || namedDue.next != nil || hasHints
      || entries.values.contains { $0.state == .underWay || $0.state == .connected }
  }
  /// Prospects of a patient download: dials that happen only because it is patient do not count.
  private var isAnyUntried: Bool {
    isDiscovering || hasHints
      || entries.contains { address, entry in
        !entry.isExtraTry && (isDue(address) || entry.state == .underWay || entry.state == .connected)
      }
  }
  /// The address that is dialled next, and when.
  var nextDue: (PeerAddress, Instant)? {
    [namedDue, due].compactMap { queue in queue.next.flatMap { at in queue.nextKey.map { ($0, at) } } }
      .min { $0.1 < $1.1 }
  }
  var isEveryAddressBanned: Bool {
    !entries.isEmpty && hints.isEmpty && entries.values.allSatisfy { $0.state == .banned }
  }

  func isBanned(_ peer: PeerID) -> Bool { bannedPeers[peer] != nil }
  func isSuspect(_ group: AddressGroup) -> Bool { lies[group] ?? 0 >= PeerBook.liesMax }
  /// Whether any address may be suspect. Almost always none is, and the lookup is skipped.
  var hasSuspects: Bool { !lies.isEmpty }

  func isNamed(_ address: PeerAddress) -> Bool { entries[address]?.isHint == false }
  /// Returns whether the user named the peer, or an address at which it answered.
  func isNamed(_ peer: PeerID) -> Bool {
    entries.values.contains { !$0.isHint && ($0.peer == peer || $0.pinned == peer) }
  }
  /// Whether an address that the user named, or that the first discovery found, has no outcome yet.
  var isAnyAwaited: Bool {
    entries.values.contains {
      (!$0.isHint || $0.isInitial && $0.source == nil) && $0.outcome == .pending && $0.state != .banned
    }
  }
  /// How many addresses that the user named are not connected, but may still be.
  var namedAbsentCount: Int {
    entries.values.count { !$0.isHint && ($0.state == .idle || $0.state == .underWay) && $0.outcome != .duplicate }
  }

  /// - `isHint`: the user did not name it. A hint does not replace a named address. Both replace an older hint.
  mutating func add(_ address: PeerAddress, pinned: PeerID?, isHint: Bool = false, at now: Instant) {
    if let pinned, isBanned(pinned) { return }
    if entries[address] != nil { return addAgain(address, pinned: pinned, isHint: isHint, at: now) }
    hints.remove(address)
    guard makeRoom() || !isHint else { return }
    entries[address] = Entry(
      pinned: pinned, source: nil, isInitial: isDiscovering, isHint: isHint, namedPin: isHint ? nil : pinned)
    setDue(address, at: now)
  }

  /// Makes room for an address from the user or a discovery by forgetting a hint. False if that is impossible.
  private mutating func makeRoom() -> Bool {
    if count < PeerBook.addressesMax || hints.takeOldest() != nil { return true }
    guard let told = entries.first(where: { $1.source != nil && $1.state == .idle }) else { return false }
    forget(told.key)
    return true
  }

  mutating func setDue(_ address: PeerAddress, at instant: Instant) {
    if isNamed(address) { namedDue.set(address, at: instant) } else { due.set(address, at: instant) }
  }

  private mutating func cancelDue(_ address: PeerAddress) {
    namedDue.cancel(address)
    due.cancel(address)
  }

  private func isDue(_ address: PeerAddress) -> Bool { namedDue[address] != nil || due[address] != nil }

  private mutating func addAgain(_ address: PeerAddress, pinned: PeerID?, isHint: Bool, at now: Instant) {
    guard var entry = entries[address], entry.state != .banned else { return }
    guard entry.isHint else {
      if isHint, let pinned { found(pinned, at: address, now) }
      return
    }
    entry.source = nil
    if !isHint { (entry.isHint, entry.isInitial, entry.namedPin) = (false, isDiscovering, pinned) }
    if entry.pinned != pinned { entry.nextPin = pinned.map { .only($0) } ?? .any }
    entries[address] = entry
    if !isHint, let instant = due[address] {
      due.cancel(address)
      namedDue.set(address, at: instant)
    }
    if entry.pinned != pinned, entry.state == .idle { dialNextPin(address, at: now) }
  }

  mutating func forget(_ address: PeerAddress) {
    entries.remove(address)
    cancelDue(address)
  }

  mutating func discoveryFinished() { isDiscovering = false }

  /// Begins to dial the next address that the user named. Nil if none is due.
  mutating func nextNamedDial(at now: Instant) -> (address: PeerAddress, pinned: PeerID?)? {
    while let address = namedDue.popDue(at: now) { if let dial = begin(address) { return dial } }
    return nil
  }

  /// Begins to dial the next address that the user did not name. Nil if none is due.
  /// - `followsHints`: whether hints are dialled too, after the other addresses.
  mutating func nextDial(at now: Instant, followsHints: Bool = true) -> (address: PeerAddress, pinned: PeerID?)? {
    while let address = due.popDue(at: now) {
      if !followsHints, entries[address]?.source != nil {
        due.set(address, at: now + PeerBook.redialFirst)
        continue
      }
      if let dial = begin(address) { return dial }
    }
    return followsHints ? nextHint(at: now) : nil
  }

  /// Marks an address as under way. Nil if it is not dialled, because it is not idle or its peer is banned.
  private mutating func begin(_ address: PeerAddress) -> (address: PeerAddress, pinned: PeerID?)? {
    guard var entry = entries[address], entry.state == .idle else { return nil }
    let isBanned = entry.pinned.map { self.isBanned($0) } ?? false
    entry.state = isBanned ? .banned : .underWay
    entries[address] = entry
    return isBanned ? nil : (address, entry.pinned)
  }

  mutating func connected(_ address: PeerAddress, as peer: PeerID) { entries[address]?.peer = peer }

  /// Notes that the peer at the address has the file. From now on failed addresses are dialled again.
  mutating func opened(_ address: PeerAddress?, at now: Instant) {
    if let address {
      entries[address]?.state = .connected
      entries[address]?.outcome = .opened
      if let source = entries[address]?.source { believe(source) }
    }
    guard !isFound else { return }
    isFound = true
    for address in addresses(where: { $0.state == .idle }) where !isDue(address) { redial(address, at: now) }
  }

  /// Notes that the peer there proved useful. Its next loss counts as the first.
  mutating func proved(_ address: PeerAddress) {
    entries[address]?.failures = 0
    entries[address]?.withdrawals = 0
  }

  /// Notes that a dial failed or a connection ended.
  mutating func ended(_ address: PeerAddress, _ outcome: AddressOutcome, at now: Instant) {
    guard let entry = entries[address], entry.state != .banned else { return }
    if let source = entry.source, entry.outcome != .opened {
      return outcome == .duplicate ? forget(address) : forgetHint(address, of: source)
    }
    let isTurnedAway = outcome == .lost(.connection(.goodbye(CloseCode.tooManyConnections.rawValue)))
    // The hint is dropped. Another peer may name the address again.
    if isTurnedAway, entry.source != nil { return forget(address) }
    entries[existing: address].settle(outcome)
    if dialNextPin(address, at: now) || dialFoundPeer(address, at: now) { return }
    if outcome == .duplicate { return }  // dialled again when the other connection is lost
    if outcome == .lost(.withdrawn) {
      entries[existing: address].withdrawals += 1
      if entry.withdrawals >= PeerBook.withdrawalsMax, !isPatient { return }
    }
    let isOwnTry = isFound || isTurnedAway && entry.failures < PeerBook.turnedAwayBeforeFoundMax
    if isOwnTry || isPatient {
      if !isOwnTry, entry.isHint, entry.failures >= PeerBook.vainRedialsMax { return forget(address) }
      entries[existing: address].isExtraTry = !isOwnTry
      redial(address, first: isTurnedAway ? PeerBook.redialTurnedAwayFirst : PeerBook.redialFirst, at: now)
    }
    if let peer = entry.peer { redialOthers(of: peer, at: now) }
  }

  /// Cancels the dials of a peer that has dialled this node.
  mutating func met(_ peer: PeerID) {
    for address in addresses(where: { $0.peer == peer && $0.state == .idle }) { cancelDue(address) }
  }

  /// Dials the known addresses of a lost peer that had dialled this node.
  mutating func missed(_ peer: PeerID, at now: Instant) { redialOthers(of: peer, at: now) }

  /// Notes that the connection closed as a duplicate. The address is dialled again later, in case the other one is
  /// gone.
  mutating func replaced(_ address: PeerAddress, at now: Instant) {
    guard let entry = entries[address], entry.state != .banned else { return }
    entries[existing: address].settle(.duplicate)
    let isOwnTry = isFound || entry.failures < PeerBook.replacedBeforeFoundMax
    entries[existing: address].isExtraTry = !isOwnTry
    if isOwnTry || isPatient { redial(address, at: now) }
  }

  /// Bans a peer that lied, and its dialled address, for this download.
  mutating func ban(_ peer: PeerID, at address: PeerAddress?, group: AddressGroup?) {
    bannedPeers[peer] = ()
    hints.remove(pinnedTo: peer)
    if let group { lies[group] = (lies[group] ?? 0) + 1 }
    for (known, entry) in entries where known == address || entry.peer == peer || entry.pinned == peer {
      entries[existing: known].state = .banned
      entries[existing: known].outcome = .lied
      cancelDue(known)
    }
  }

  /// Never dials an address again: this node itself answers there.
  mutating func dismiss(_ address: PeerAddress, _ outcome: AddressOutcome) {
    entries[address]?.outcome = outcome
    entries[address]?.state = .banned
    cancelDue(address)
  }

  private mutating func redial(_ address: PeerAddress, first: Duration = PeerBook.redialFirst, at now: Instant) {
    let failures = entries[existing: address].fail()
    let delayMax = isPatient && isNamed(address) ? PeerBook.redialPatientMax : PeerBook.redialMax
    let delay = min(first * (1 << min(failures, 16)), delayMax)
    setDue(address, at: now + delay)
  }

  /// Dials the other addresses of a lost peer.
  private mutating func redialOthers(of peer: PeerID, at now: Instant) {
    guard isFound || isPatient else { return }
    for other in addresses(where: { $0.peer == peer && $0.state == .idle }) where !isDue(other) {
      redial(other, at: now)
    }
  }

  /// Returns the matching addresses in the order in which they were added.
  private func addresses(where matches: (Entry) -> Bool) -> [PeerAddress] {
    entries.compactMap { address, entry in matches(entry) ? address : nil }
  }
}
