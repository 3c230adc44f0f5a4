// A line of a screen: texts with their looks, rendered as one string of a limited number of columns.
import Content
import Posix
import Screen

/// The look of a text. No information is given by a look alone.
enum Look: String, Sendable {
  case plain = ""
  case bold = "1"
  case dim = "2"
  case red = "31"
  case green = "32"
  case yellow = "33"
}

/// What a terminal can display.
struct ScreenStyle: Hashable, Sendable {
  var hasColour: Bool
  /// Whether it can display characters beyond ASCII.
  var hasUnicode: Bool

  /// The style of the current terminal. NO_COLOR (no-color.org) turns looks off; a locale that is not UTF-8 turns drawn
  /// bars off.
  static var current: ScreenStyle {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(Environment.variable).first ?? ""
    let name = locale.lowercased()
    return ScreenStyle(
      hasColour: Environment.variable("NO_COLOR") == nil, hasUnicode: name.contains("utf-8") || name.contains("utf8"))
  }

  /// Marks the place where text was cut off.
  var mark: String { hasUnicode ? "…" : "~" }
}

/// The size of a terminal.
struct ScreenSize: Hashable, Sendable {
  var columns: Int
  var rows: Int
}

struct ScreenLine: Hashable, Sendable {
  private struct Span: Hashable, Sendable {
    let text: String
    let look: Look
    let width: Int
  }
  private var spans: [Span] = []
  private(set) var width = 0

  init() {}
  init(_ text: String, _ look: Look = .plain) { add(text, look) }

  /// Adds a text. A name in it must be escaped (see `Console.escaped`). Characters that could still move a cursor are
  /// replaced here.
  mutating func add(_ text: String, _ look: Look = .plain) {
    let text = DisplayWidth.isPrintable(text) ? text : SuggestedName.harmlessLine(text)
    add(Span(text: text, look: look, width: DisplayWidth.of(text)))
  }

  private mutating func add(_ span: Span) {
    spans.append(span)
    width += span.width
  }

  mutating func add(_ line: ScreenLine) { for span in line.spans { add(span) } }

  /// Returns the line as a string of at most `columns` columns.
  func rendered(columns: Int, _ style: ScreenStyle) -> String {
    guard columns > 0 else { return "" }
    var out = ""
    var left = width > columns ? columns - DisplayWidth.of(style.mark) : columns
    for span in spans {
      let isLast = span.width > left
      let text = isLast ? DisplayWidth.cut(span.text, to: left, mark: "") + style.mark : span.text
      let isStyled = style.hasColour && span.look != .plain && !text.isEmpty
      out += isStyled ? "\u{1B}[\(span.look.rawValue)m\(text)\u{1B}[0m" : text
      left -= span.width
      if isLast { break }
    }
    return out
  }
}

extension ScreenLine {
  /// Makes a bar. `share` is the part that is done, from 0 to 1. It shows two looks of one line character, or two ASCII
  /// characters.
  static func bar(_ share: Double, columns: Int, _ style: ScreenStyle, isFramed: Bool = true) -> ScreenLine {
    let share = share.isFinite ? min(max(share, 0), 1) : 0
    var line = ScreenLine()
    guard columns > 0 else { return line }
    let filled = share >= 1 ? columns : min(Int(share * Double(columns)), columns - 1)
    let (full, empty) = style.hasUnicode ? ("━", isFramed ? "─" : " ") : ("#", isFramed ? "-" : " ")
    line.add(Span(text: String(repeating: full, count: filled), look: .green, width: filled))
    let rest = columns - filled
    line.add(Span(text: String(repeating: empty, count: rest), look: .dim, width: rest))
    return line
  }
}

extension ScreenLine {
  /// Returns the same line in one look.
  func all(_ look: Look) -> ScreenLine {
    var line = ScreenLine()
    for span in spans { line.add(Span(text: span.text, look: look, width: span.width)) }
    return line
  }

  /// Joins two lines. The right one ends at the last column; the left one is cut before it.
  static func sides(_ left: ScreenLine, _ right: ScreenLine, columns: Int, _ style: ScreenStyle) -> ScreenLine {
    var line = left.cut(to: max(0, columns - right.width - 2), style)
    line.add(String(repeating: " ", count: max(right.width > 0 ? 2 : 0, columns - line.width - right.width)))
    line.add(right)
    return line
  }

  private func cut(to columns: Int, _ style: ScreenStyle) -> ScreenLine {
    guard width > columns else { return self }
    var line = ScreenLine()
    for span in spans {
      let left = columns - line.width
      if span.width <= left {
        line.add(span)
      } else {
        line.add(DisplayWidth.cut(span.text, to: left, mark: style.mark), span.look)
        break
      }
    }
    return line
  }
}
