// Which peers of one file hear of which other peers (`Protocol/README.md`, "PEERS").
import Wire

/// The peers of one file that this node has shaken hands with, in either direction. Not shared between threads.
public struct PeerDirectory: Sendable {
  /// The most entries of one message.
  static let entriesMax = ProtocolLimits.peersMax
  /// The most entries for a peer that is turned away: as many as a peer keeps of one source. In a large crowd most
  /// peers are turned away, and each entry takes upload from the other peers.
  static let entriesForTurnedAwayMax = PeerBook.addressesPerSourceMax
  /// The time between two messages to one peer.
  public static let interval: Duration = .seconds(60)
  /// If there is no new peer for a member, the next search for it comes after this time. Otherwise, in a crowd of peers
  /// that cannot be dialled, each newcomer would cost a search for every member.
  static let pauseWithoutEntries: Duration = .seconds(5)
  /// How many members are remembered. More would help no peer.
  static let membersMax = 4096
  /// How many of the latest peers that a member heard of are remembered: 1 KiB for each member. A member has no room to
  /// connect to more, and may hear of the first ones again.
  static let toldMax = 128
  /// How many of the latest peers that were turned away are named to others for a while. In a crowd without free places
  /// these peers still have room.
  static let turnedAwayMax = 64
  static let turnedAwayTime: Duration = .seconds(60)
  /// How many of these may belong to one address group, so that other peers do not hear of one host only.
  static let turnedAwayPerHostMax = 8

  private struct Record: Sendable {
    let peer: PeerID
    /// The first bytes of its PeerID.
    let mark: UInt64
    let host: PackedIP
    let group: AddressGroup
    let reach: AddressReach?
    /// Nil if the peer cannot be dialled.
    let port: UInt16?
    /// Whether the peer hears of other peers.
    let isListener: Bool
    /// Whether this node has no room for the peer.
    let isTurnedAway: Bool
    /// When the peer may hear of more peers.
    var due: Instant
    /// The marks of the latest peers that this one heard of, at most `toldMax`. If two peers have the same mark, the
    /// second is not named.
    private(set) var told: [UInt64]
    /// How many peers had joined at the last search for this peer.
    var seen = 0

    mutating func wasTold(about entries: [PeerExchange.Entry]) {
      told += entries.map(\.peer.digest.mark)
      if told.count > PeerDirectory.toldMax { told.removeFirst(told.count - PeerDirectory.toldMax) }
    }
  }

  /// The members in the order of joining.
  private var records = OrderedTable<ConnectionToken, Record>()
  /// Peers that were turned away and have left, and until when they are named.
  private var turnedAway: [(record: Record, until: Instant)] = []
  private var joins = 0
  private var generator: SeededGenerator

  public init(generator: SeededGenerator) { self.generator = generator }

  public var count: Int { records.count }

  /// Returns how many peers that a member heard of are remembered.
  func toldCount(of member: ConnectionToken) -> Int { records[member]?.told.count ?? 0 }

  /// Enters a peer that has or wants the file.
  /// - `port`: the port that was dialled, or the one that the peer announced; nil or 0: the peer cannot be dialled.
  /// - `isListener`: the peer has opened the file here, so it may hear of other peers.
  /// - `isTurnedAway`: the connection ends soon, because this node has no room for it.
  public mutating func join(
    _ member: ConnectionToken, _ peer: PeerID, ip: [UInt8], port: UInt16?, isListener: Bool, isTurnedAway: Bool = false,
    at now: Instant
  ) {
    let before = records[member]
    if before == nil && records.count >= PeerDirectory.membersMax { return }
    let record = Record(
      peer: peer, mark: peer.digest.mark, host: PackedIP(ip), group: AddressGroup(ip: ip), reach: AddressReach(ip),
      port: port == 0 ? nil : port, isListener: isListener || before?.isListener == true,
      isTurnedAway: isTurnedAway, due: before?.due ?? now, told: before?.told ?? [])
    records[member] = record
    // A peer that cannot be dialled is never named.
    if record.port != nil { joins += 1 }
  }

  public mutating func leave(_ member: ConnectionToken, at now: Instant) {
    guard let record = records.remove(member) else { return }
    guard record.isTurnedAway, record.port != nil else { return }
    turnedAway.removeAll { $0.record.peer == record.peer }
    let ofHost = turnedAway.indices.filter { turnedAway[$0].record.group == record.group }
    if ofHost.count == PeerDirectory.turnedAwayPerHostMax { turnedAway.remove(at: ofHost[0]) }
    if turnedAway.count == PeerDirectory.turnedAwayMax { turnedAway.removeFirst() }
    turnedAway.append((record, now + PeerDirectory.turnedAwayTime))
  }

  /// Returns the messages about other peers to send to some members, or all, now.
  public mutating func messages(
    to members: Set<ConnectionToken>? = nil, at now: Instant
  ) -> [(member: ConnectionToken, entries: [PeerExchange.Entry])] {
    var messages: [(ConnectionToken, [PeerExchange.Entry])] = []
    for member in members?.sorted() ?? records.keys {
      guard var record = records[member], record.isListener, record.due <= now, record.seen < joins else { continue }
      let entriesMax = record.isTurnedAway ? PeerDirectory.entriesForTurnedAwayMax : PeerDirectory.entriesMax
      let entries = entries(for: record, entriesMax, at: now)
      // After a full message there may be more peers to name.
      if entries.count < entriesMax { record.seen = joins }
      if !entries.isEmpty {
        record.wasTold(about: entries)
        record.due = now + PeerDirectory.interval
        messages.append((member, entries))
      } else if records.count > 1 {
        record.due = now + PeerDirectory.pauseWithoutEntries
      }
      records[member] = record
    }
    return messages
  }

  /// Returns the entries for a member. Up to half of them are peers that were turned away.
  private mutating func entries(for listener: Record, _ entriesMax: Int, at now: Instant) -> [PeerExchange.Entry] {
    guard let reach = listener.reach else { return [] }
    var seen = Set(listener.told)
    seen.insert(listener.mark)
    var entries: [PeerExchange.Entry] = []
    func add(_ record: Record) {
      guard let port = record.port, record.reach?.isOfUse(to: reach) == true, seen.insert(record.mark).inserted else {
        return
      }
      entries.append(PeerExchange.Entry(ip: record.host.bytes, port: port, peer: record.peer))
    }
    turnedAway.removeAll { $0.until <= now }
    for (record, _) in turnedAway.shuffled(using: &generator) where entries.count < entriesMax / 2 { add(record) }
    for member in records.keys.shuffled(using: &generator) where entries.count < entriesMax {
      if let record = records[member] { add(record) }
    }
    return entries
  }
}
