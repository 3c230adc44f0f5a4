// The numbers of a download: at its end, and while it runs.
import Content
import Wire

/// What one peer gave.
public struct PeerDownloadStats: Hashable, Sendable {
  /// The peer.
  public let peer: PeerID
  /// Where it was dialled; nil where it dialled us.
  public let address: PeerAddress?
  /// Chunks that it completed.
  public let chunks: Int
  /// Verified bytes that were new.
  public let bytes: UInt64
  /// Timeouts, lost connections, lies: as they were reported.
  public let failures: Int
  /// How often it was asked for leaves that another peer was late with.
  public let hedges: Int
  /// How often another peer was asked for leaves that it was late with.
  public let hedged: Int
  /// It sent wrong data.
  public let isBanned: Bool
  /// While it answered, a smoothed mean; 0 until measured.
  public let bytesPerSecond: Double
  /// Where its answers' time went.
  public let times: AnswerTimes
  /// 0…200.
  public let score: Double

  /// Over answered requests; zero where there was none.
  public var averageLatency: Duration { times.averageLatency }

  /// These numbers, and those up to a pause.
  func adding(_ earlier: PeerDownloadStats) -> PeerDownloadStats {
    var times = times
    times.add(earlier.times)
    return PeerDownloadStats(
      peer: peer, address: address ?? earlier.address, chunks: chunks + earlier.chunks, bytes: bytes + earlier.bytes,
      failures: failures + earlier.failures, hedges: hedges + earlier.hedges, hedged: hedged + earlier.hedged,
      isBanned: isBanned || earlier.isBanned, bytesPerSecond: bytesPerSecond, times: times, score: score)
  }
}

/// The sum over peers that are not listed one by one: strangers may come in any number.
public struct PastPeersStats: Hashable, Sendable {
  /// How many there are.
  public private(set) var count = 0
  /// How many of them sent wrong data.
  public private(set) var banned = 0
  /// How often one of them was asked for leaves that another peer was late with.
  public private(set) var hedges = 0
  /// Where the time of their answers went.
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

/// What a download did.
public struct DownloadStats: Hashable, Sendable {
  /// Of the file.
  public var totalChunks = 0
  /// Fetched by this download; resumed ones are not counted.
  public var downloadedChunks = 0
  /// Here already, from an earlier download.
  public var resumedChunks = 0
  /// Out of retries.
  public var failedChunks = 0
  /// Verified bytes that were new.
  public var bytes: UInt64 = 0
  /// Verified bytes that were there already.
  public var duplicateBytes: UInt64 = 0
  /// Verified bytes that lay between leaves that one request asked for, and were not needed.
  public var gapBytes: UInt64 = 0
  /// File bytes sent to others.
  public var uploadedBytes: UInt64 = 0
  /// Chunks that were tried again.
  public var retries = 0
  /// Chunks asked of a second peer.
  public var hedges = 0
  /// When it began, on the clock of the events.
  public var start: Instant
  /// When the first chunk was asked for; nil where none was.
  public var firstRequest: Instant?
  /// When it ended, or was looked at.
  public var end: Instant
  /// In order of joining. Of many that have gone and delivered nothing the first are left out: see `pastPeers`.
  public var peers: [PeerDownloadStats] = []
  /// The sum of the peers that `peers` leaves out.
  public var pastPeers = PastPeersStats()
  /// Verified bytes that were new, by the zones of the peers. Nil if the node is in no zone.
  public var zones: ZoneBytes?
  /// What each worker waited for, by its number.
  public var workers: [WorkerWaits] = []

  /// The numbers of a download that has done nothing.
  public init(start: Instant = .zero, end: Instant = .zero) { (self.start, self.end) = (start, end) }

  /// The numbers of a download that was paused: these, and those up to the pause. Time in between does not count.
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

  /// From `start` to `end`.
  public var duration: Duration { end - start }
  /// Over the whole duration; 0 where that is 0.
  public var bytesPerSecond: Double { duration > .zero ? Double(bytes) / duration.inSeconds : 0 }
}

/// A look at a download that runs.
public struct DownloadProgress: Hashable, Sendable {
  /// Complete chunks, also resumed ones.
  public let finishedChunks: Int
  /// Of the file.
  public let totalChunks: Int
  /// Verified bytes that were new.
  public let bytes: UInt64
  /// Over the last few seconds.
  public let bytesPerSecond: Double
  /// Connected ones that have some of the file.
  public let livePeers: Int
  /// Workers that there are now.
  public let workers: Int
  /// So far.
  public let retries: Int
  /// So far.
  public let hedges: Int
  /// How long until the download ends without a useful peer. Nil while there is one.
  public var givesUpIn: Duration?
  /// How long no new leaf was verified. Nil before the first could come.
  public var quietFor: Duration?
  /// Verified bytes that were new, by the zones of the peers. Nil if the node is in no zone.
  public var zones: ZoneBytes?
  /// All that had the file or some of it, also those that are gone; in order of joining.
  public let peers: [PeerProgress]
  /// If a folder is fetched.
  public var folder: FolderProgress?
}

/// How much of a folder is there.
public struct FolderProgress: Hashable, Sendable {
  /// Files that are complete. Files that were there, or were copied, count; so do files without bytes.
  public var completeFiles: Int
  /// Files that the download brings, or that are there.
  public var totalFiles: Int
  /// Bytes that are fetched, or that an earlier download left in the part folder.
  public let totalBytes: UInt64

  public init(completeFiles: Int, totalFiles: Int, totalBytes: UInt64) {
    self.completeFiles = completeFiles
    self.totalFiles = totalFiles
    self.totalBytes = totalBytes
  }
}

/// A look at one peer while a download runs.
public struct PeerProgress: Hashable, Sendable {
  /// What a peer is doing.
  public enum Activity: Hashable, Sendable {
    /// Nothing is asked of it.
    case idle
    /// It sends this chunk, or will send it. `requests`: requests in flight to it.
    case sending(ChunkIndex, requests: Int, isHedge: Bool)
    /// It answered BUSY and gets no request for a while.
    case busy
    /// It is not connected.
    case gone
    /// It sent wrong data, and is not asked again.
    case banned
  }

  /// Its numbers so far.
  public let stats: PeerDownloadStats
  /// Over the last few seconds.
  public let bytesPerSecond: Double
  /// What it does now.
  public let activity: Activity
}

/// Bytes of the last seconds, in one slot a second.
struct SpeedMeter: Sendable {
  private static let windowSeconds: Int64 = 5
  private var slots: [UInt64] = Array(repeating: 0, count: Int(SpeedMeter.windowSeconds) + 1)
  private var lastSecond: Int64?
  private var firstSecond: Int64 = 0

  mutating func add(_ byteCount: Int, at now: Instant) {
    advance(to: now)
    slots[slot(now.nanoseconds / 1_000_000_000)] += UInt64(byteCount)
  }

  /// Over the whole seconds of the window and what has passed of this one.
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
