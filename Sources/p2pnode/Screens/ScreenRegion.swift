// The lines at the bottom of a terminal that are redrawn in place. Pure: it says which bytes to write.
// The cursor always waits below them, at the start of a line, so that other output starts on a clean line.
import Screen

struct ScreenRegion {
  private var lines: [String] = []
  private var size = ScreenSize(columns: 0, rows: 0)
  /// Rows of it that a terminal which became lower has pushed off its top, and gives back when it grows.
  private var hidden = 0

  var isEmpty: Bool { lines.isEmpty }

  /// What puts these lines in the place of the last ones; "" where nothing changed. Each is narrower than the terminal,
  /// and there are fewer than it has rows.
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

  /// What takes it off the screen; the cursor is then where it began.
  mutating func erase(_ now: ScreenSize) -> String {
    guard !lines.isEmpty else { return "" }
    defer { forget() }
    return up(now) + "\u{1B}[J"
  }

  /// Others have written below it: it is theirs, and the next one begins where the cursor is.
  mutating func forget() { (lines, hidden) = ([], 0) }

  /// To the first row that is still on the screen.
  private mutating func up(_ now: ScreenSize) -> String {
    // Terminals that became narrower have broken lines that no longer fit into several.
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
