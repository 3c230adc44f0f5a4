// Which finished chunks get a line in a log that a person reads.

/// At most a hundred lines: one a chunk, or one a percent where there are more chunks.
enum ChunkLines {
  static let countMax = 100

  /// - `finished`: how many chunks are finished, this one too: from 1 to `total`.
  static func isShown(_ finished: Int, of total: Int) -> Bool {
    if total <= countMax { return true }
    return finished * countMax / total > (finished - 1) * countMax / total
  }
}
