// A limit on how much a peer opens on one connection. With CLOSE a peer could open and close a file for ever.
import Wire

/// A successful OPEN costs work and bytes that grow with the file: the node looks up what it promised to other peers,
/// and sends the BITMAPs of a partial file even if the connection has little room. So each file counts by its number of
/// chunks.
struct OpeningPace: Sendable {
  /// A small file counts as one page of chunks, for the answer and the events about it.
  static let chunksPerFileMin = ProtocolLimits.chunksPerPage
  /// After the burst: a file of 1 TiB a second, or 1,024 small ones.
  static let chunksPerSecond: UInt64 = 1 << 20
  /// The burst: as many files of 1 TiB as a connection can have open without closing one.
  static let burstChunks = UInt64(ProtocolLimits.openFilesMax) * chunksPerSecond

  /// The bucket is full until its first use, so the start time does not matter.
  private var limiter = RateLimiter(
    bytesPerSecond: OpeningPace.chunksPerSecond, burst: OpeningPace.burstChunks, at: .zero)

  /// Counts a file that is about to be opened. False if the peer opens too much.
  mutating func take(_ chunkCount: Int, at now: Instant) -> Bool {
    let cost = max(chunkCount, OpeningPace.chunksPerFileMin)
    guard limiter.delay(until: cost, at: now) == .zero else { return false }
    return limiter.take(upTo: cost, at: now) == cost
  }
}
