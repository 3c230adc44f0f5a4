// Why a download was as fast as it was, and what would have made it faster: read off its statistics.
import Wire

/// What limited a download. Parts are of 1: of the time that its workers were there, or as said.
public enum DownloadLimit: Hashable, Sendable {
  /// Part of the whole duration that passed before the first chunk was asked for.
  case start(Double)
  /// The peers sent all the time: their uplinks, the path, or our own line.
  case network(Double)
  /// The wait for first bytes took longer than all other bytes.
  case roundTrips(Double)
  /// Part of the answers' time that went into hashing and writing.
  case disk(Double)
  /// All workers had work, and there were peers that no worker drove.
  case workers(peers: Int)
  /// Waiting to try again what had failed.
  case retries(Double)
  /// Peers answered BUSY.
  case busyPeers(Double)
  /// Chunk hashes were not here yet.
  case hashes(Double)
  /// A stream's reader was behind.
  case reader(Double)
  /// No free peer had what was missing.
  case holders(Double)
  /// Nothing was left to ask for while the last chunks came.
  case ending(Double)
  /// They sent at less than a quarter of the best one's rate.
  case slowPeers([PeerID])
  /// The download limit, in bytes a second.
  case setting(UInt64)
  /// They failed at least once, or lied.
  case failingPeers([PeerID])
}

/// The reading of one download's statistics.
public struct DownloadExplanation: Sendable {
  /// Parts below these say nothing.
  private static let startMin = 0.2
  private static let waitMin = 0.1
  private static let retryMin = 0.05
  private static let slowRatio = 0.25
  /// A download that fetched at this part of its limit was held back by it.
  private static let limitRatio = 0.8

  /// What is read.
  public let stats: DownloadStats
  /// The one that sent at the highest rate; nil where none was measured.
  public let best: PeerDownloadStats?
  /// What weighs most comes first; empty where nothing was fetched.
  public let limits: [DownloadLimit]

  /// - `maxWorkers`: that of the download's settings.
  /// - `downloadLimit`: of the node, in bytes a second; nil: none.
  public init(_ stats: DownloadStats, maxWorkers: Int, downloadLimit: UInt64? = nil) {
    self.stats = stats
    best = stats.peers.filter { $0.bytesPerSecond > 0 && !$0.isBanned }.max { $0.bytesPerSecond < $1.bytesPerSecond }
    var limits = stats.bytes == 0 ? [] : DownloadExplanation.limits(of: stats, best: best, maxWorkers: maxWorkers)
    if let limit = downloadLimit, DownloadExplanation.isHeldBack(stats, by: limit) {
      // Workers that wait for the limit seem to wait for peers.
      limits.removeAll { if case .holders = $0 { true } else if case .ending = $0 { true } else { false } }
      limits.insert(.setting(limit), at: 0)
    }
    self.limits = limits
  }

  private static func isHeldBack(_ stats: DownloadStats, by limit: UInt64) -> Bool {
    guard let first = stats.firstRequest, stats.end > first else { return false }
    return Double(stats.bytes) / (stats.end - first).inSeconds >= Double(limit) * limitRatio
  }

  /// What the best peer would have taken for the same bytes at its measured rate.
  public var bestAlone: Duration? {
    best.map { .nanoseconds(Int64((min(Double(stats.bytes) / $0.bytesPerSecond, 1e9) * 1e9).rounded())) }
  }

  /// A peer's part of the new bytes; 0 where there were none.
  public func share(of peer: PeerDownloadStats) -> Double {
    stats.bytes > 0 ? Double(peer.bytes) / Double(stats.bytes) : 0
  }

  /// The answers' times of all peers together.
  public var times: AnswerTimes { stats.peers.reduce(into: AnswerTimes()) { $0.add($1.times) } }

  private static func limits(
    of stats: DownloadStats, best: PeerDownloadStats?, maxWorkers: Int
  ) -> [DownloadLimit] {
    let total = stats.workers.reduce(Duration.zero) { $0 + $1.total }.inSeconds
    func part(_ wait: WorkerWait) -> Double {
      total > 0 ? stats.workers.reduce(Duration.zero) { $0 + $1[wait] }.inSeconds / total : 0
    }
    var limits: [(weight: Double, DownloadLimit)] = []
    func note(_ part: Double, atLeast least: Double, _ limit: (Double) -> DownloadLimit) {
      if part >= least { limits.append((part, limit(part))) }
    }
    if let first = stats.firstRequest, stats.duration > .zero {
      note((first - stats.start).inSeconds / stats.duration.inSeconds, atLeast: startMin, DownloadLimit.start)
    }
    limits += answerLimits(of: stats, waiting: part(.answers))
    note(part(.retry), atLeast: retryMin, DownloadLimit.retries)
    note(part(.busyPeers), atLeast: retryMin, DownloadLimit.busyPeers)
    note(part(.hashes), atLeast: waitMin, DownloadLimit.hashes)
    note(part(.reader), atLeast: waitMin, DownloadLimit.reader)
    note(part(.holders), atLeast: waitMin, DownloadLimit.holders)
    note(part(.others), atLeast: waitMin, DownloadLimit.ending)
    let serving = stats.peers.filter { $0.times.answers > 0 && !$0.isBanned }
    let usable = stats.peers.count { !$0.isBanned }
    if usable > maxWorkers, stats.workers.count == maxWorkers, part(.answers) > 1 - startMin {
      limits.append((part(.answers), .workers(peers: usable)))
    }
    let slow = serving.filter { $0.bytesPerSecond < (best?.bytesPerSecond ?? 0) * slowRatio }
    if !slow.isEmpty { limits.append((0, .slowPeers(slow.map(\.peer)))) }
    let failing = stats.peers.filter { $0.failures > 0 || $0.isBanned }
    if !failing.isEmpty { limits.append((0, .failingPeers(failing.map(\.peer)))) }
    return limits.sorted { $0.weight > $1.weight }.map(\.1)
  }

  /// What the time went into in which workers waited for answers.
  private static func answerLimits(of stats: DownloadStats, waiting: Double) -> [(Double, DownloadLimit)] {
    let times = stats.peers.reduce(into: AnswerTimes()) { $0.add($1.times) }
    let latency = (times.firstByte + times.transfer + times.verification + times.writing).inSeconds
    guard latency > 0, waiting > 0 else { return [] }
    var limits: [(Double, DownloadLimit)] = []
    let disk = (times.verification + times.writing).inSeconds / latency
    if times.transfer.inSeconds / latency >= 0.5 { limits.append((waiting, .network(waiting))) }
    if times.firstByte.inSeconds / latency >= 0.5 { limits.append((waiting, .roundTrips(waiting))) }
    if disk >= 0.3 { limits.append((waiting * disk, .disk(disk))) }
    return limits
  }
}
