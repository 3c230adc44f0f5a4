// The counts of a download so far.
import Content

/// The statistics of a download, its present speed, and the bytes that an earlier download left of each chunk.
struct DownloadTally: Sendable {
  var stats: DownloadStats
  private var speed = SpeedMeter()
  /// For each chunk that is not complete, the bytes that an earlier download left.
  private var resumedBytes: [ChunkIndex: Int] = [:]

  init(at now: Instant) { stats = DownloadStats(start: now, end: now) }

  /// Counts verified leaves.
  /// - `byteCount`: bytes of all of them.
  /// - `needed`: bytes of the leaves that were missing when they were requested.
  /// - `fresh`: bytes of the leaves that were still missing now.
  mutating func verified(byteCount: Int, needed: Int, fresh: Int, at now: Instant) {
    stats.bytes += UInt64(fresh)
    stats.duplicateBytes += UInt64(needed - fresh)
    stats.gapBytes += UInt64(byteCount - needed)
    speed.add(fresh, at: now)
  }

  /// Notes wanted bytes of a chunk that an earlier download left.
  mutating func resumed(_ byteCount: Int, of chunk: ChunkIndex) { resumedBytes[chunk, default: 0] += byteCount }

  /// Returns the bytes of a complete chunk that this download fetched.
  /// - `byteCount`: all wanted bytes of the chunk.
  mutating func fetchedBytes(of chunk: ChunkIndex, of byteCount: Int) -> Int {
    byteCount - (resumedBytes.removeValue(forKey: chunk) ?? 0)
  }

  func bytesPerSecond(at now: Instant) -> Double { speed.bytesPerSecond(at: now) }
}
