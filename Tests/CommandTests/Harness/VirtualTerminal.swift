// A terminal in memory. Text that is written to it becomes rows, which wrap, scroll and resize as on real terminals.

/// Like most terminals, it rewraps long lines when its width changes, and shows scrolled-off lines again when it grows.
struct VirtualTerminal {
  private struct Row {
    var text: [Character] = []
    /// Whether the next row continues the same line.
    var isWrapped = false
  }

  private(set) var columns: Int
  private(set) var height: Int
  private var rows = [Row()]
  private var top = 0
  private var row = 0
  private var column = 0

  init(columns: Int, height: Int) { (self.columns, self.height) = (columns, height) }

  /// All lines that it has shown and not discarded, without empty lines at the end.
  var text: [String] {
    var lines = rows.map { String($0.text) }
    while lines.last == "" { lines.removeLast() }
    return lines
  }

  /// The rows that are visible now.
  var screen: [String] { rows[top...].map { String($0.text) } }

  mutating func write(_ text: String) {
    var scalars = text.unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      switch scalar {
      case "\n": newline()
      case "\r": column = 0
      case "\u{1B}": escape(&scalars)
      default: put(Character(scalar))
      }
    }
  }

  mutating func resize(columns: Int, height: Int) {
    if columns != self.columns { reflow(to: columns) }
    self.height = height
    top = max(0, rows.count - height)
  }

  private mutating func put(_ character: Character) {
    if column == columns {
      rows[row].isWrapped = true
      newline()
    }
    while rows[row].text.count < column { rows[row].text.append(" ") }
    if column < rows[row].text.count {
      rows[row].text[column] = character
    } else {
      rows[row].text.append(character)
    }
    column += 1
  }

  private mutating func newline() {
    (row, column) = (row + 1, 0)
    if row == rows.count { rows.append(Row()) }
    top = max(top, row - height + 1)
  }

  private mutating func escape(_ scalars: inout Substring.UnicodeScalarView) {
    guard scalars.popFirst() == "[" else { return }
    var digits = ""
    while let scalar = scalars.popFirst() {
      if ("0"..."9").contains(scalar) {
        digits.unicodeScalars.append(scalar)
        continue
      }
      switch scalar {
      case "A": row = max(top, row - (Int(digits) ?? 1))
      case "K": erase()
      case "J":
        erase()
        rows.removeSubrange((row + 1)...)
      default: break  // a colour or style
      }
      return
    }
  }

  private mutating func erase() {
    rows[row].text = Array(rows[row].text.prefix(column))
    rows[row].isWrapped = false
  }

  private mutating func reflow(to columns: Int) {
    var broken: [Row] = []
    var line: [Character] = []
    for (i, old) in rows.enumerated() {
      let isCursor = i == row
      line += old.text
      if old.isWrapped && !isCursor { continue }
      repeat {
        broken.append(Row(text: Array(line.prefix(columns)), isWrapped: line.count > columns))
        line = Array(line.dropFirst(columns))
      } while !line.isEmpty
      if isCursor { row = broken.count - 1 }
    }
    rows = broken
    self.columns = columns
  }
}
