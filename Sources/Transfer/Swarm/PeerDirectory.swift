// Who of those that one file is shared with is told of whom (`Protocol/README.md`, "PEERS").
import Wire

/// The peers of one file that this node has shaken hands with, whoever dialled. Not shared between threads.
public struct PeerDirectory: Sendable {
  /// A connection, by a number of the shell's choice.
  public typealias Member = UInt64
  /// Entries of one message.
  static let entriesMax = ProtocolLimits.peersMax
  /// Entries for a peer that is turned away: as many as a peer keeps of one source. In a large crowd most peers are turned
  /// away, and what they are told takes the upload from the others.
  static let entriesForTurnedAwayMax = PeerBook.addressesPerSourceMax
  /// Between two messages to one peer.
  public static let interval: Duration = .seconds(60)
  /// A member for which there is nobody new waits this long: in a crowd of peers that cannot be dialled, each newcomer
  /// would cost a look at all others for each of them.
  static let pauseWithoutEntries: Duration = .seconds(5)
  /// Members that are remembered: more would be of no use to anybody.
  static let membersMax = 4096
  /// Others that a member is known to have been told about, the last ones: 1 KiB of each member. Then it has heard about
  /// more than it has places for, and may hear about the first ones again.
  static let toldMax = 128
  /// Of those who were turned away so many, the last ones, are told of to others for a while: in a crowd whose every place
  /// is taken they are the ones with room.
  static let turnedAwayMax = 64
  static let turnedAwayTime: Duration = .seconds(60)
  /// Of one host so many, so that it cannot be all that others are told of.
  static let turnedAwayPerHostMax = 8

  private struct Record: Sendable {
    let peer: PeerID
    /// The first bytes of its PeerID.
    let mark: UInt64
    let host: PackedIP
    let reach: AddressReach?
    /// Nil where it cannot be dialled.
    let port: UInt16?
    /// Whether it is told of others.
    let isListener: Bool
    /// Whether there is no room for it here.
    let isTurnedAway: Bool
    /// When it may be told more.
    var due: Instant
    /// The marks of those that it was told about last, at most `toldMax`. A peer that is mistaken for another is only not
    /// named.
    private(set) var told: [UInt64]
    /// How many had joined when it was looked at last.
    var seen = 0

    mutating func wasTold(about entries: [PeerExchange.Entry]) {
      told += entries.map(\.peer.digest.mark)
      if told.count > PeerDirectory.toldMax { told.removeFirst(told.count - PeerDirectory.toldMax) }
    }
  }

  private var records: [Member: Record] = [:]
  /// In order of joining.
  private var order: [Member] = []
  /// Who were turned away and have gone, and until when they are told of.
  private var turnedAway: [(record: Record, until: Instant)] = []
  private var joins = 0
  private var generator: SeededGenerator

  public init(generator: SeededGenerator) { self.generator = generator }

  public var count: Int { records.count }

  /// How many others a member is known to have been told about.
  func toldCount(of member: Member) -> Int { records[member]?.told.count ?? 0 }

  /// A peer has or wants the file.
  /// - `port`: where it can be dialled: the port that was dialled, or the one that it announced; nil or 0: nowhere.
  /// - `isListener`: it has opened the file here, and so may be told of others.
  /// - `isTurnedAway`: it will have to go, since there is no room for it.
  public mutating func join(
    _ member: Member, _ peer: PeerID, ip: [UInt8], port: UInt16?, isListener: Bool, isTurnedAway: Bool = false,
    at now: Instant
  ) {
    let isNew = records[member] == nil
    if isNew && records.count >= PeerDirectory.membersMax { return }
    let before = records[member]
    records[member] = Record(
      peer: peer, mark: peer.digest.mark, host: PackedIP(ip), reach: AddressReach(ip),
      port: port == 0 ? nil : port, isListener: isListener || before?.isListener == true,
      isTurnedAway: isTurnedAway, due: before?.due ?? now, told: before?.told ?? [])
    if isNew { order.append(member) }
    // Peers that cannot be dialled are news to nobody.
    if records[member]!.port != nil { joins += 1 }
  }

  public mutating func leave(_ member: Member, at now: Instant) {
    guard let record = records.removeValue(forKey: member) else { return }
    order.removeAll { $0 == member }
    guard record.isTurnedAway, record.port != nil else { return }
    turnedAway.removeAll { $0.record.peer == record.peer }
    let ofHost = turnedAway.indices.filter { turnedAway[$0].record.host == record.host }
    if ofHost.count == PeerDirectory.turnedAwayPerHostMax { turnedAway.remove(at: ofHost[0]) }
    if turnedAway.count == PeerDirectory.turnedAwayMax { turnedAway.removeFirst() }
    turnedAway.append((record, now + PeerDirectory.turnedAwayTime))
  }

  /// What to tell some members, or all, about other peers now.
  public mutating func messages(
    to members: Set<Member>? = nil, at now: Instant
  ) -> [(member: Member, entries: [PeerExchange.Entry])] {
    var messages: [(Member, [PeerExchange.Entry])] = []
    for member in members?.sorted() ?? order {
      guard let record = records[member], record.isListener, record.due <= now, record.seen < joins else { continue }
      let entriesMax = record.isTurnedAway ? PeerDirectory.entriesForTurnedAwayMax : PeerDirectory.entriesMax
      let entries = entries(for: record, entriesMax, at: now)
      // With a full message there may be more to tell.
      if entries.count < entriesMax { records[member]!.seen = joins }
      if entries.isEmpty {
        if order.count > 1 { records[member]!.due = now + PeerDirectory.pauseWithoutEntries }
        continue
      }
      records[member]!.wasTold(about: entries)
      records[member]!.due = now + PeerDirectory.interval
      messages.append((member, entries))
    }
    return messages
  }

  /// Half of them who were turned away, where there are so many.
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
    for member in order.shuffled(using: &generator) where entries.count < entriesMax {
      if let record = records[member] { add(record) }
    }
    return entries
  }
}
