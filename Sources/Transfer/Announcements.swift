// When the peers of a downloader are told of leaves that came: at once what few of them have, the rest chunk by chunk.
import Content
import Wire

/// Collects what came of one file until it is told. To be told of every piece of every chunk by every peer would cost a
/// crowd more than it gains: a chunk that several peers have is not waited for. Not shared between threads.
public struct Announcements: Sendable {
  /// A chunk that so many peers have, in whole or in part, is told of when it is whole.
  static let rareMax = 8
  /// Between two announcements: a frame's worth takes so long at 10 MB/s.
  static let interval: Duration = .milliseconds(5)

  /// Leaves that were not told of.
  private var untold: [ChunkIndex: UInt64] = [:]
  /// Those of `untold` that are to be told, in the order in which they came.
  private var due: [ChunkIndex] = []
  private var told = Instant(nanoseconds: .min / 2)
  /// When to `take` next; nil where there is nothing to tell.
  public private(set) var deadline: Instant?

  public init() {}

  /// Leaves are verified and can be read.
  /// - `isWhole`: whether the chunk now is.
  /// - `copies`: peers that are known to have a part of the chunk (`DownloadState.copies`).
  public mutating func gained(
    _ leaves: LeafRange, of chunk: ChunkIndex, isWhole: Bool, copies: Int, at now: Instant
  ) {
    untold[chunk, default: 0] |= leaves.mask
    guard isWhole || copies < Announcements.rareMax else { return }
    if !due.contains(chunk) { due.append(chunk) }
    if deadline == nil { deadline = max(now, told + Announcements.interval) }
  }

  /// What to tell now: to each peer what it is not known to have.
  public mutating func take(at now: Instant) -> [LeafRun] {
    var runs: [LeafRun] = []
    for chunk in due { runs += LeafRun.runs(of: untold.removeValue(forKey: chunk) ?? 0, in: chunk) }
    due = []
    deadline = nil
    told = now
    return runs
  }
}
