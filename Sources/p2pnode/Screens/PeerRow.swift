// A peer's row on the screen of `get`, and the choice of peers if there are too many rows.
import PeerNode
import Posix
import Transfer

struct PeerRow {
  let peer: PeerProgress
  /// This peer's part of all received bytes, from 0 to 1.
  let share: Double
  /// Whether the peer is much slower than others while it answers.
  let isStraggling: Bool

  /// A peer below this part of the median peer's rate is shown as a straggler.
  private static let stragglerPart = 0.25

  /// Returns a row for each peer, in the order of joining. If there are too many, it chooses banned peers, stragglers,
  /// and the peers that sent most; the text sums up the others.
  static func chosen(from peers: [PeerProgress], atMost rowsMax: Int) -> (rows: [PeerRow], others: String?) {
    let rows = rows(of: peers)
    if rows.count <= rowsMax { return (rows, nil) }
    let order = rows.indices.sorted { a, b in
      let (urgencyA, urgencyB) = (rows[a].urgency, rows[b].urgency)
      if urgencyA != urgencyB { return urgencyA > urgencyB }
      return rows[a].peer.stats.bytes > rows[b].peer.stats.bytes
    }
    let room = max(0, rowsMax - 1)
    // Peers in trouble get at most half of the rows, so that the peers that send most bytes are visible too.
    let urgent = order.filter { rows[$0].urgency > 1 }.prefix((room + 1) / 2)
    let shown = Set(
      (urgent + order.filter { rows[$0].urgency == 1 } + order).reduce(into: [Int]()) { chosen, i in
        if chosen.count < room && !chosen.contains(i) { chosen.append(i) }
      })
    let others = rows.indices.filter { !shown.contains($0) }
    let speed = others.reduce(0) { $0 + rows[$1].peer.bytesPerSecond }
    return (shown.sorted().map { rows[$0] }, "  and \(others.count) more: \(Format.rate(speed))")
  }

  private static func rows(of peers: [PeerProgress]) -> [PeerRow] {
    let bytes = peers.reduce(0) { $0 + $1.stats.bytes }
    let rates = peers.filter(\.isLive).map(\.rate).filter { $0 > 0 }.sorted()
    let median = rates.count >= 2 ? rates[rates.count / 2] : 0
    let recent = peers.filter(\.isLive).map(\.bytesPerSecond).sorted()
    let recentMedian = recent.isEmpty ? 0 : recent[recent.count / 2]
    return peers.map { peer in
      let isMeasured = peer.rate > 0 || peer.stats.hedged > 0
      // A peer that many getters share answers late and still sends as much as the others.
      let bringsLittle = peer.bytesPerSecond <= recentMedian * stragglerPart
      return PeerRow(
        peer: peer, share: bytes == 0 ? 0 : Double(peer.stats.bytes) / Double(bytes),
        isStraggling: peer.isLive && isMeasured && bringsLittle && peer.rate < median * stragglerPart)
    }
  }

  /// 3: banned, 2: straggling, 1: neither, 0: disconnected.
  private var urgency: Int {
    switch peer.activity {
    case .banned: 3
    case .gone: 0
    case .idle, .sending, .sendingHashes, .busy: isStraggling ? 2 : 1
    }
  }

  /// The look of the whole row. Nil: each column keeps its own look.
  var look: Look? {
    switch peer.activity {
    case .banned: .red
    case .gone: .dim
    case .idle, .sending, .sendingHashes, .busy: isStraggling ? .yellow : nil
    }
  }

  /// A sign with the meaning of the look, for terminals and people without colours.
  var sign: String {
    switch peer.activity {
    case .banned: "x"
    case .gone: "-"
    case .idle, .sending, .sendingHashes, .busy: isStraggling ? "!" : " "
    }
  }

  var address: String {
    peer.stats.address.map { Endpoint($0).description } ?? "dialled us"
  }

  var speed: String {
    switch peer.activity {
    case .gone, .banned: "-"
    // A rate below one displayed digit is shown as nothing.
    case .idle, .sending, .sendingHashes, .busy:
      peer.bytesPerSecond < 5_300 ? "-" : Format.megabytes(peer.bytesPerSecond)
    }
  }

  var latency: String {
    let latency = peer.stats.averageLatency
    if latency == .zero { return "-" }
    return latency < .seconds(10) ? Format.milliseconds(latency) : Format.fixed(Format.seconds(latency), 1) + "s"
  }

  /// Returns a number, or nothing for 0, so that other numbers stand out.
  func count(_ number: Int) -> String { number == 0 ? "" : "\(number)" }

  /// Returns what the peer does now, in `width` columns.
  func words(width: Int) -> String {
    switch peer.activity {
    case .idle: return "idle"
    case .sendingHashes: return "chunk hashes"
    case .busy: return "busy: asks to wait"
    case .gone: return "gone"
    case .banned: return width >= 23 ? "banned: sent wrong data" : "banned: wrong data"
    case .sending(let chunk, let requests, let isHedge):
      let what = "\(isHedge ? "hedging " : "")chunk \(chunk.rawValue)"
      if requests <= 1 { return what }
      let whole = "\(what), \(requests) in flight"
      return whole.count <= width ? whole : "\(what) +\(requests - 1)"
    }
  }
}

extension PeerProgress {
  fileprivate var isLive: Bool { activity != .gone && activity != .banned }
  /// Bytes a second while the peer answers. Before its first complete answer, the recent rate.
  fileprivate var rate: Double { stats.bytesPerSecond > 0 ? stats.bytesPerSecond : bytesPerSecond }
}
