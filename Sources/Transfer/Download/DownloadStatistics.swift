// The statistics of a download, at its end and while it runs.
import Content
import Wire

/// The statistics of one peer in a download.
public struct PeerDownloadStats: Hashable, Sendable {
  /// The peer.
  public let peer: PeerID
  /// The address at which the peer was dialled; nil if the peer dialled this node.
  public let address: PeerAddress?
  /// Chunks that the peer completed.
  public let chunks: Int
  /// Verified bytes that were new.
  public let bytes: UInt64
  /// Timeouts, lost connections, overtaken requests and lies, as they were reported.
  public let failures: Int
  /// How often the peer was asked for leaves that another peer was late with.
  public let hedges: Int
  /// How often another peer was asked for leaves that this peer was late with.
  public let hedged: Int
  /// Whether the peer sent wrong data.
  public let isBanned: Bool
  /// The smoothed mean rate while the peer answered; 0 until measured.
  public let bytesPerSecond: Double
  /// How the time of the peer's answers divides.
  public let times: AnswerTimes
  /// The score, 0…200.
  public let score: Double

  /// The mean latency of answered requests; zero if there was none.
  public var averageLatency: Duration { times.averageLatency }

  /// Returns these numbers plus the earlier ones, from before a pause.
  func adding(_ earlier: PeerDownloadStats) -> PeerDownloadStats {
    var times = times
    times.add(earlier.times)
    return PeerDownloadStats(
      peer: peer, address: address ?? earlier.address, chunks: chunks + earlier.chunks, bytes: bytes + earlier.bytes,
      failures: failures + earlier.failures, hedges: hedges + earlier.hedges, hedged: hedged + earlier.hedged,
      isBanned: isBanned || earlier.isBanned, bytesPerSecond: bytesPerSecond, times: times, score: score)
  }
}

/// The sum over peers that are not listed one by one, because any number of strangers may come.
public struct PastPeersStats: Hashable, Sendable {
  /// How many there are.
  public private(set) var count = 0
  /// How many of them sent wrong data.
  public private(set) var banned = 0
  /// How often one of them was asked for leaves that another peer was late with.
  public private(set) var hedges = 0
  /// How the time of their answers divides.
  public private(set) var times = AnswerTimes()
  /// Chunks that they completed.
  public private(set) var chunks = 0
  /// Verified bytes that were new.
  public private(set) var bytes: UInt64 = 0
  /// Their failures.
  public private(set) var failures = 0

  /// No peers yet.
  public init() {}

  mutating func add(_ peer: PeerDownloadStats) {
    count += 1
    banned += peer.isBanned ? 1 : 0
    hedges += peer.hedges
    times.add(peer.times)
    chunks += peer.chunks
    bytes += peer.bytes
    failures += peer.failures
  }

  mutating func add(_ other: PastPeersStats) {
    count += other.count
    banned += other.banned
    hedges += other.hedges
    times.add(other.times)
    chunks += other.chunks
    bytes += other.bytes
    failures += other.failures
  }
}

/// The statistics of a download.
public struct DownloadStats: Hashable, Sendable {
  /// Chunks that the download wants.
  public var totalChunks = 0
  /// Chunks that this download fetched, without the resumed ones.
  public var downloadedChunks = 0
  /// Chunks that an earlier download left on the disk.
  public var resumedChunks = 0
  /// Chunks that are out of retries.
  public var failedChunks = 0
  /// Verified bytes that were new.
  public var bytes: UInt64 = 0
  /// Verified bytes that the download already had.
  public var duplicateBytes: UInt64 = 0
  /// Verified bytes that were not needed: they lay between needed leaves of one request.
  public var gapBytes: UInt64 = 0
  /// File bytes sent to other peers.
  public var uploadedBytes: UInt64 = 0
  /// Retries of chunks that began.
  public var retries = 0
  /// How often a second peer was asked for leaves of a chunk.
  public var hedges = 0
  /// When the download began, on the clock of the events.
  public var start: Instant
  /// When the first chunk was requested; nil if none was.
  public var firstRequest: Instant?
  /// When the download ended, or when these statistics were read.
  public var end: Instant
  /// The peers in the order of joining. If too many have left, the first of those are left out: see `pastPeers`.
  public var peers: [PeerDownloadStats] = []
  /// The sum of the peers that `peers` leaves out.
  public var pastPeers = PastPeersStats()
  /// Verified bytes that were new, by the zones of the peers. Nil if the node is in no zone.
  public var zones: ZoneBytes?
  /// What each worker waited for, by its number.
  public var workers: [WorkerWaits] = []

  /// Makes the statistics of a download that has done nothing.
  public init(start: Instant = .zero, end: Instant = .zero) { (self.start, self.end) = (start, end) }

  /// Returns the statistics of a download that was paused: these plus the earlier ones, from before the pause. The time
  /// of the pause does not count.
  public func adding(_ earlier: DownloadStats) -> DownloadStats {
    var sum = self
    sum.downloadedChunks += earlier.downloadedChunks
    sum.resumedChunks = max(0, resumedChunks - earlier.downloadedChunks)
    sum.bytes += earlier.bytes
    sum.duplicateBytes += earlier.duplicateBytes
    sum.gapBytes += earlier.gapBytes
    sum.uploadedBytes += earlier.uploadedBytes
    sum.retries += earlier.retries
    sum.hedges += earlier.hedges
    if let before = earlier.zones { sum.zones = (zones ?? ZoneBytes()) + before }
    sum.start = start + (.zero - earlier.duration)
    for peer in earlier.peers {
      if let place = sum.peers.firstIndex(where: { $0.peer == peer.peer }) {
        sum.peers[place] = sum.peers[place].adding(peer)
      } else {
        sum.peers.append(peer)
      }
    }
    sum.pastPeers.add(earlier.pastPeers)
    return sum
  }

  /// The time from `start` to `end`.
  public var duration: Duration { end - start }
  /// The mean rate over the whole duration; 0 if the duration is 0.
  public var bytesPerSecond: Double { duration > .zero ? Double(bytes) / duration.inSeconds : 0 }
}

/// The progress of a running download.
public struct DownloadProgress: Hashable, Sendable {
  /// Complete chunks, including resumed ones.
  public let finishedChunks: Int
  /// Chunks that the download wants.
  public let totalChunks: Int
  /// Verified bytes that were new.
  public let bytes: UInt64
  /// Over the last few seconds.
  public let bytesPerSecond: Double
  /// Connected peers that have some of the file.
  public let livePeers: Int
  /// Workers that exist now.
  public let workers: Int
  /// So far.
  public let retries: Int
  /// So far.
  public let hedges: Int
  /// How long until the download ends without a useful peer. Nil while there is one.
  public var givesUpIn: Duration?
  /// How long no new leaf was verified. Nil before the first one could come.
  public var quietFor: Duration?
  /// Verified bytes that were new, by the zones of the peers. Nil if the node is in no zone.
  public var zones: ZoneBytes?
  /// The peers that had the file or some of it, including those that left, in the order of joining.
  public let peers: [PeerProgress]
  /// The progress of a folder; nil if no folder is fetched.
  public var folder: FolderProgress?
}

/// The progress of a folder.
public struct FolderProgress: Hashable, Sendable {
  /// Complete files. Files that were on the disk before, files that were copied and empty files count too.
  public var completeFiles: Int
  /// All files that the download fetches or that are on the disk.
  public var totalFiles: Int
  /// Bytes to fetch, including those that an earlier download left in the part folder.
  public let totalBytes: UInt64

  public init(completeFiles: Int, totalFiles: Int, totalBytes: UInt64) {
    self.completeFiles = completeFiles
    self.totalFiles = totalFiles
    self.totalBytes = totalBytes
  }
}

/// The progress of one peer in a running download.
public struct PeerProgress: Hashable, Sendable {
  /// What a peer is doing.
  public enum Activity: Hashable, Sendable {
    /// The peer has no request.
    case idle
    /// The peer sends this chunk, or will send it. `requests`: requests in flight to the peer.
    case sending(ChunkIndex, requests: Int, isHedge: Bool)
    /// The peer sends chunk hashes, or will send them. No chunk is requested from it.
    case sendingHashes
    /// The peer answered BUSY and gets no request for a while.
    case busy
    /// The peer is not connected.
    case gone
    /// The peer sent wrong data, and is not asked again.
    case banned
  }

  /// The peer's statistics so far.
  public let stats: PeerDownloadStats
  /// Over the last few seconds.
  public let bytesPerSecond: Double
  /// What the peer is doing now.
  public let activity: Activity
}

/// The bytes of the last seconds, in one slot for each second.
struct SpeedMeter: Sendable {
  private static let windowSeconds: Int64 = 5
  private var slots: [UInt64] = Array(repeating: 0, count: Int(SpeedMeter.windowSeconds) + 1)
  private var lastSecond: Int64?
  private var firstSecond: Int64 = 0

  mutating func add(_ byteCount: Int, at now: Instant) {
    advance(to: now)
    slots[slot(now.nanoseconds / 1_000_000_000)] += UInt64(byteCount)
  }

  /// Returns the mean rate over the whole seconds of the window and the elapsed part of the present second.
  func bytesPerSecond(at now: Instant) -> Double {
    var copy = self
    copy.advance(to: now)
    let since = max(copy.firstSecond, now.nanoseconds / 1_000_000_000 - SpeedMeter.windowSeconds)
    let seconds = Double(now.nanoseconds) / 1e9 - Double(since)
    return seconds > 0 ? Double(copy.slots.reduce(0, +)) / seconds : 0
  }

  private func slot(_ second: Int64) -> Int { Int(second.magnitude % UInt64(slots.count)) }

  private mutating func advance(to now: Instant) {
    let second = now.nanoseconds / 1_000_000_000
    guard let last = lastSecond else {
      (lastSecond, firstSecond) = (second, second)
      return
    }
    guard second > last else { return }
    for passed in max(last + 1, second - SpeedMeter.windowSeconds)...second { slots[slot(passed)] = 0 }
    lastSecond = second
  }
}
