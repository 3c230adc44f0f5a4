// Decides which finished chunks get a line in a log for people.

/// At most a hundred lines: one for each chunk, or one for each percent if there are more chunks.
enum ChunkLines {
  static let countMax = 100

  /// - `finished`: the number of finished chunks, including this one: from 1 to `total`.
  static func isShown(_ finished: Int, of total: Int) -> Bool {
    if total <= countMax { return true }
    return finished * countMax / total > (finished - 1) * countMax / total
  }
}
