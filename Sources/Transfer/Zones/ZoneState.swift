// What a download of a node in a zone knows of its zone.
import Content
import Wire

/// The partners of a download: peers of its zone that give what they promise. Only to them it leaves chunks that it could
/// also fetch from outside the zone.
struct ZoneState: Sendable {
  /// A peer of the zone is a partner for so long after its last verified leaf, and after it came. A partner that fetches
  /// from far away has a leaf sooner, even where ten of them share 1 Mbit/s; a liar holds up a chunk no longer.
  static let patience = Duration.seconds(10)
  /// The score that a partner has at least: 100 less two failures.
  static let scoreMin = 50
  /// Before anything came from outside the zone: chunks that are asked for there at a time.
  static let importsAtStart = 2
  /// Chunks are asked for outside the zone for so many seconds at the rate at which they come. The link between zones is
  /// shared, and what waits for it comes too late, or twice.
  static let importSeconds = 4.0

  let membership: ZoneMembership
  /// The chunks that this node fetches for the zone.
  fileprivate(set) var shares = ZoneShares.all
  /// The numbers of the partners, ascending.
  fileprivate(set) var partners: [Int] = []
  /// An unproven peer of the zone gave nothing in time: from then on only proven ones become partners. So strangers that
  /// come one after the other hold up a download once.
  fileprivate(set) var isWaryOfStrangers = false
  /// Whether as many chunks are asked for outside the zone as may be at a time.
  fileprivate(set) var areImportsFull = false
  /// What came from outside the zone.
  private var imported = SpeedMeter()
  private var hasImported = false

  init(_ membership: ZoneMembership) { self.membership = membership }

  mutating func gave(_ byteCount: Int, from zone: PeerZone, at now: Instant) {
    guard zone != .own else { return }
    imported.add(byteCount, at: now)
    hasImported = true
  }

  /// Chunks that may be asked for outside the zone at a time.
  fileprivate func importsMax(chunkSize: Int, at now: Instant) -> Int {
    guard hasImported else { return ZoneState.importsAtStart }
    let chunks = imported.bytesPerSecond(at: now) * ZoneState.importSeconds / Double(chunkSize)
    return max(1, Int(min(chunks, 1e6)))
  }
}

extension DownloadState {
  /// The peer of a connection announced its zone.
  mutating func learn(_ id: ConnectionID, zone name: ZoneName) {
    guard let zone, connections[id] != nil else { return }
    connections[existing: id].zone = PeerZone(name, own: zone.membership.name)
    if let number = connections.peer(of: id) { peers[number].zone = connections[existing: id].zone }
  }

  /// Leaves of a peer were verified.
  mutating func gave(_ byteCount: Int, by number: Int, at now: Instant) {
    peers[number].gaveAt = now
    zone?.gave(byteCount, from: peers[number].zone, at: now)
    tally.stats.zones?[peers[number].zone] += UInt64(byteCount)
  }

  /// Whether a peer is in another zone than this node, or announced none.
  func isOutside(_ number: Int) -> Bool { peers[number].zone != .own }

  /// Whether the download leaves chunks to partners.
  private var hasPartners: Bool { zone?.partners.isEmpty == false }

  /// Looks again at who the partners are, and how much is asked for outside the zone.
  mutating func reviewZone(at now: Instant) {
    guard let zone else { return }
    var partners: [Int] = []
    var isAnyUnproven = false
    var next: Instant?
    for number in workers.live where peers[number].zone == .own {
      let until = peers[number].gaveAt + ZoneState.patience
      guard until > now else {
        if !peers[number].isProven { self.zone!.isWaryOfStrangers = true }
        continue
      }
      next = min(next ?? until, until)
      guard isPartner(number) else { continue }
      isAnyUnproven = isAnyUnproven || !peers[number].isProven
      partners.append(number)
    }
    if self.zone!.isWaryOfStrangers, isAnyUnproven { partners.removeAll { !peers[$0].isProven } }
    if timers[.zone] == nil, let next { timers.set(.zone, at: next) }
    if partners != zone.partners { setPartners(partners) }
    reviewImports(at: now)
  }

  private func isPartner(_ number: Int) -> Bool {
    let peer = peers[number]
    return !peer.isBanned && !peer.isSilent && !peer.onlyRefuses && peer.score.value >= ZoneState.scoreMin
  }

  private mutating func setPartners(_ partners: [Int]) {
    for number in zone!.partners { peers[number].isPartner = false }
    for number in partners { peers[number].isPartner = true }
    zone!.partners = partners
    zone!.shares = shares(beside: partners)
    chunks.reconsider()
  }

  /// A stream needs its next chunks now, and its partners fetch theirs in another order.
  private func shares(beside partners: [Int]) -> ZoneShares {
    if partners.isEmpty || settings.order != .rarestFirst { return .all }
    guard settings.shares, let own = zone?.membership.member else { return .none }
    return ZoneShares(of: own, beside: partners.map { peers[$0].id })
  }

  mutating func reviewImports(at now: Instant) {
    guard hasPartners, let importsMax = zone?.importsMax(chunkSize: chunks.layout.chunkSize, at: now) else {
      zone?.areImportsFull = false
      return
    }
    var count = 0
    for number in workers.live where isOutside(number) { count += inFlight(number) }
    zone!.areImportsFull = count >= importsMax
  }

  /// Whether no more may be asked of a peer now, since it is outside the zone.
  func waitsForImports(_ number: Int) -> Bool { zone?.areImportsFull == true && isOutside(number) }

  /// The chunks that a peer outside the zone may be asked for. Nil: all.
  func zoneFilter(for number: Int) -> ZoneFilter? {
    guard let zone, !zone.partners.isEmpty, isOutside(number) else { return nil }
    let held = zone.partners.compactMap { peers[$0].connection.flatMap { connections.availability(of: $0) } }
    return ZoneFilter(shares: zone.shares, partners: held)
  }

  /// Whether a chunk is left to the partners, and so not asked of this peer.
  func isLeftToZone(_ chunk: ChunkIndex, instead number: Int) -> Bool {
    zoneFilter(for: number).map { !$0.allows(Int(chunk.rawValue)) } ?? false
  }

  /// Whether a peer is not asked for what another peer is asked for already: it would come between zones twice.
  func isTooFarForHedge(_ number: Int) -> Bool { hasPartners && isOutside(number) }
}
