// The zone as one download sees it: its partners there, and the chunks that it fetches from outside.
import Content
import Wire

/// Knows the partners of a download. A partner is a peer of the same zone that delivers what it promises. The download
/// leaves chunks that it could fetch from outside the zone only to partners.
struct ZoneState: Sendable {
  /// A peer of the zone stays a partner for this long after it joined, and after each leaf of it that verified. Honest
  /// partners fetch from far away and still give a leaf sooner, even if ten of them share 1 Mbit/s. A liar holds up a
  /// chunk no longer than this.
  static let patience = Duration.seconds(10)
  /// The lowest score of a partner: 100 less two failures.
  static let scoreMin = 50
  /// Chunks that are in flight from outside the zone at a time, before any leaf came from there.
  static let importsAtStart = 2
  /// Requests outside the zone cover this many seconds at the measured rate. The nodes of the zone share the link
  /// between zones, and a request that waits long for it is answered too late, or twice.
  static let importSeconds = 4.0

  let membership: ZoneMembership
  /// The chunks that this node fetches for the zone.
  fileprivate(set) var shares = ZoneShares.all
  /// The numbers of the partners, ascending.
  fileprivate(set) var partners: [Int] = []
  /// Whether an unproven peer of the zone gave nothing within `patience`. From then on only proven peers become
  /// partners, so that strangers that join one after another hold up a download only once.
  fileprivate(set) var isWaryOfStrangers = false
  /// Whether no more chunks may be in flight from outside the zone.
  fileprivate(set) var areImportsFull = false
  /// Measures the rate of the bytes from outside the zone.
  private var imported = SpeedMeter()
  private var hasImported = false

  init(_ membership: ZoneMembership) { self.membership = membership }

  mutating func gave(_ byteCount: Int, from zone: PeerZone, at now: Instant) {
    guard zone != .own else { return }
    imported.add(byteCount, at: now)
    hasImported = true
  }

  /// Returns how many chunks may be in flight from outside the zone at a time.
  fileprivate func importsMax(chunkSize: Int, at now: Instant) -> Int {
    guard hasImported else { return ZoneState.importsAtStart }
    let chunks = imported.bytesPerSecond(at: now) * ZoneState.importSeconds / Double(chunkSize)
    return max(1, Int(min(chunks, 1e6)))
  }
}

extension DownloadState {
  /// Notes the zone that the peer of a connection announced.
  mutating func learn(_ id: ConnectionID, zone name: ZoneName) {
    guard let zone, connections[id] != nil else { return }
    connections[existing: id].zone = PeerZone(name, own: zone.membership.name)
    if let number = connections.peer(of: id) { peers[number].zone = connections[existing: id].zone }
  }

  /// Notes that leaves of a peer were verified.
  mutating func gave(_ byteCount: Int, by number: Int, at now: Instant) {
    peers[number].gaveAt = now
    zone?.gave(byteCount, from: peers[number].zone, at: now)
    tally.stats.zones?[peers[number].zone] += UInt64(byteCount)
  }

  /// Returns whether a peer is in another zone than this node, or announced none.
  func isOutside(_ number: Int) -> Bool { peers[number].zone != .own }

  /// Whether the download leaves chunks to partners.
  private var hasPartners: Bool { zone?.partners.isEmpty == false }

  /// Determines the partners anew, and counts the chunks that are in flight from outside the zone.
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

  /// Returns the shares of this node. A stream fetches every chunk itself: it needs its next chunks now, and partners
  /// fetch in another order.
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

  /// Returns whether a peer must wait, because it is outside the zone and no more chunks may be in flight from there.
  func waitsForImports(_ number: Int) -> Bool { zone?.areImportsFull == true && isOutside(number) }

  /// Returns the chunks that a peer may be asked for. Nil: all.
  func zoneFilter(for number: Int) -> ZoneFilter? {
    guard let zone, !zone.partners.isEmpty, isOutside(number) else { return nil }
    let held = zone.partners.compactMap { peers[$0].connection.flatMap { connections.availability(of: $0) } }
    return ZoneFilter(shares: zone.shares, partners: held)
  }

  /// Returns whether a chunk is left to the partners, so that this peer is not asked for it.
  func isLeftToZone(_ chunk: ChunkIndex, instead number: Int) -> Bool {
    zoneFilter(for: number).map { !$0.allows(Int(chunk.rawValue)) } ?? false
  }

  /// Returns whether a peer is too far away for hedges: the chunk would cross the link between zones twice.
  func isTooFarForHedge(_ number: Int) -> Bool { hasPartners && isOutside(number) }
}
