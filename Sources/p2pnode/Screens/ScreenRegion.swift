// The lines at the bottom of a terminal that are redrawn in place. Pure: returns the bytes to write. The cursor always
// stays below the lines, at the start of a line, so that other output begins on an empty line.
import Screen

struct ScreenRegion {
  private var lines: [String] = []
  private var size = ScreenSize(columns: 0, rows: 0)
  /// Rows of the region that moved off the top when the terminal became lower. They come back when it grows.
  private var hidden = 0

  var isEmpty: Bool { lines.isEmpty }

  /// Returns the bytes that replace the last lines by these. "" if nothing changed. Each line must be narrower than the
  /// terminal, and there must be fewer lines than rows.
  mutating func draw(_ new: [String], _ now: ScreenSize) -> String {
    let new = Array(new.prefix(max(0, now.rows - 1)))
    if new == lines && now == size { return "" }
    var out = lines.isEmpty ? "" : up(now)
    if now != size && !lines.isEmpty { out += "\u{1B}[J" }
    let kept = now == size ? lines : []
    for (i, line) in new.enumerated() {
      out += i < kept.count && kept[i] == line ? "\n" : line + "\u{1B}[K\n"
    }
    if new.count < kept.count { out += "\u{1B}[J" }
    (lines, size) = (new, now)
    return out
  }

  /// Returns the bytes that remove the region. The cursor is then where the region began.
  mutating func erase(_ now: ScreenSize) -> String {
    guard !lines.isEmpty else { return "" }
    defer { forget() }
    return up(now) + "\u{1B}[J"
  }

  /// Forgets the region after other programs wrote below it. The next region begins at the cursor.
  mutating func forget() { (lines, hidden) = ([], 0) }

  /// Returns the bytes that move the cursor to the first visible row of the region.
  private mutating func up(_ now: ScreenSize) -> String {
    // When a terminal becomes narrower, it breaks lines that no longer fit.
    let rows = lines.reduce(0) { count, line in
      let width = now.columns < size.columns ? DisplayWidth.ofStyled(line) : 0
      return count + max(1, (width + now.columns - 1) / max(1, now.columns))
    }
    let visible = min(rows, max(0, now.rows - 1))
    let returned = min(hidden, max(0, now.rows - size.rows))
    hidden = hidden - returned + rows - visible
    let climb = min(visible + returned, max(0, now.rows - 1))
    return climb > 0 ? "\r\u{1B}[\(climb)A" : "\r"
  }
}
