// How much a peer opens on one connection: with CLOSE it could open and close a file for ever.
import Wire

/// An OPEN that succeeds costs work and bytes that grow with the file: what others were promised is looked up, and the
/// BITMAPs of a partial file are sent, however little room the connection has. So files count by their chunks.
struct OpeningPace: Sendable {
  /// A small file counts as one page of chunks: the answer itself, and the events about it.
  static let chunksPerFileMin = ProtocolLimits.chunksPerPage
  /// After the burst: a file of 1 TiB a second, or 1,024 small ones.
  static let chunksPerSecond: UInt64 = 1 << 20
  /// At once: as many files of 1 TiB as a connection can have open without closing one.
  static let burstChunks = UInt64(ProtocolLimits.openFilesMax) * chunksPerSecond

  /// Full until its first use, so its start does not matter.
  private var limiter = RateLimiter(
    bytesPerSecond: OpeningPace.chunksPerSecond, burst: OpeningPace.burstChunks, at: .zero)

  /// A file is about to be opened. False if the peer opens too much.
  mutating func take(_ chunkCount: Int, at now: Instant) -> Bool {
    let cost = max(chunkCount, OpeningPace.chunksPerFileMin)
    guard limiter.delay(until: cost, at: now) == .zero else { return false }
    return limiter.take(upTo: cost, at: now) == cost
  }
}
