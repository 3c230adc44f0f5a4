// Derives from the statistics of a download why it was as fast as it was, and what would have made it faster.
import Wire

/// A limit on the speed of a download. Values are fractions, 0…1, of the time for which its workers existed, unless
/// noted.
public enum DownloadLimit: Hashable, Sendable {
  /// The fraction of the whole duration before the first chunk was requested.
  case start(Double)
  /// The peers sent all the time: the limit is their uplinks, the path, or this node's own line.
  case network(Double)
  /// The wait for the first byte took at least half of the answers' time.
  case roundTrips(Double)
  /// Hashing and writing: the fraction of the answers' time.
  case disk(Double)
  /// All workers had work, and there were peers that no worker drove.
  case workers(peers: Int)
  /// Workers waited for retries of failed chunks or pages.
  case retries(Double)
  /// Peers answered BUSY.
  case busyPeers(Double)
  /// Workers waited for chunk hashes.
  case hashes(Double)
  /// Workers waited for the reader of a stream.
  case reader(Double)
  /// No free peer had a missing chunk.
  case holders(Double)
  /// Nothing was left to request while the last chunks came.
  case ending(Double)
  /// These peers sent at less than a quarter of the best peer's rate.
  case slowPeers([PeerID])
  /// The download limit, in bytes a second.
  case setting(UInt64)
  /// These peers failed at least once, or lied.
  case failingPeers([PeerID])
}

/// The analysis of one download's statistics.
public struct DownloadExplanation: Sendable {
  /// Fractions below these are not reported.
  private static let startMin = 0.2
  private static let waitMin = 0.1
  private static let retryMin = 0.05
  private static let slowRatio = 0.25
  /// A download that reached this fraction of its limit was held back by it.
  private static let limitRatio = 0.8

  /// The statistics that are analysed.
  public let stats: DownloadStats
  /// The peer that sent at the highest rate; nil if no rate was measured.
  public let best: PeerDownloadStats?
  /// The limits, the most important first; empty if nothing was fetched.
  public let limits: [DownloadLimit]

  /// - `maxWorkers`: as in the download's settings.
  /// - `downloadLimit`: the node's limit in bytes a second; nil: none.
  public init(_ stats: DownloadStats, maxWorkers: Int, downloadLimit: UInt64? = nil) {
    self.stats = stats
    best = stats.peers.filter { $0.bytesPerSecond > 0 && !$0.isBanned }.max { $0.bytesPerSecond < $1.bytesPerSecond }
    var limits = stats.bytes == 0 ? [] : DownloadExplanation.limits(of: stats, best: best, maxWorkers: maxWorkers)
    if let limit = downloadLimit, DownloadExplanation.isHeldBack(stats, by: limit) {
      // A worker that waits for the download limit is counted under these two waits.
      limits.removeAll { if case .holders = $0 { true } else if case .ending = $0 { true } else { false } }
      limits.insert(.setting(limit), at: 0)
    }
    self.limits = limits
  }

  private static func isHeldBack(_ stats: DownloadStats, by limit: UInt64) -> Bool {
    guard let first = stats.firstRequest, stats.end > first else { return false }
    return Double(stats.bytes) / (stats.end - first).inSeconds >= Double(limit) * limitRatio
  }

  /// How long the best peer would have taken for the same bytes at its measured rate.
  public var bestAlone: Duration? {
    best.map { .nanoseconds(Int64((min(Double(stats.bytes) / $0.bytesPerSecond, 1e9) * 1e9).rounded())) }
  }

  /// Returns a peer's fraction of the new bytes; 0 if there were none.
  public func share(of peer: PeerDownloadStats) -> Double {
    stats.bytes > 0 ? Double(peer.bytes) / Double(stats.bytes) : 0
  }

  /// The sums of the answer times over all peers.
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

  /// Returns the limits on the time in which workers waited for answers.
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
