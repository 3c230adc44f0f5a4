// Measures and cuts texts in columns of a terminal. The width is never smaller than a terminal's: a line that is too
// short is harmless, a line that wraps is not.

package enum DisplayWidth {
  /// Returns the columns of a text without escapes.
  package static func of(_ text: String) -> Int {
    if isPrintable(text) { return text.utf8.count }
    var columns = 0
    var last = 0
    for scalar in text.unicodeScalars { columns += added(by: scalar, after: &last) }
    return columns
  }

  /// Whether all characters are printable ASCII, one column each. Most texts are, and they need no tables.
  package static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } }

  /// Returns the columns of a line that may contain colours.
  package static func ofStyled(_ line: String) -> Int {
    var plain = String.UnicodeScalarView()
    var isEscape = false
    for scalar in line.unicodeScalars {
      if scalar == "\u{1B}" { isEscape = true }
      if !isEscape { plain.append(scalar) }
      if scalar == "m" { isEscape = false }
    }
    return of(String(plain))
  }

  /// Returns the start of a text. If something is cut off, it ends in `mark`.
  package static func cut(_ text: String, to columns: Int, mark: String) -> String {
    if of(text) <= columns { return text }
    guard columns >= of(mark) else { return start(of: text, columns) }
    return start(of: text, columns - of(mark)) + mark
  }

  /// Returns both ends of a text. If something is cut out, `mark` stands between them. The end is longer, for the
  /// file's name in a path.
  package static func cutMiddle(_ text: String, to columns: Int, mark: String) -> String {
    if of(text) <= columns { return text }
    let room = columns - of(mark)
    guard room >= 2 else { return cut(text, to: columns, mark: mark) }
    let end = end(of: text, room - room / 3)
    return start(of: text, room - of(end)) + mark + end
  }

  /// Returns a text padded with spaces to this width.
  package static func padded(_ text: String, to columns: Int, isRight: Bool) -> String {
    let space = String(repeating: " ", count: max(0, columns - of(text)))
    return isRight ? space + text : text + space
  }

  private static func start(of text: String, _ columns: Int) -> String {
    var out = String.UnicodeScalarView()
    var used = 0
    var last = 0
    for scalar in text.unicodeScalars {
      let width = added(by: scalar, after: &last)
      guard used + width <= columns else { break }
      used += width
      out.append(scalar)
    }
    return String(out)
  }

  /// Returns the end of a text. It does not begin with a combining mark of a character that was cut off.
  private static func end(of text: String, _ columns: Int) -> String {
    let scalars = Array(text.unicodeScalars)
    var first = scalars.count
    while first > 0, of(string(scalars[(first - 1)...])) <= columns { first -= 1 }
    while first < scalars.count, width(of: scalars[first]) == 0 { first += 1 }
    return string(scalars[first...])
  }

  private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// - `last`: the width of the last scalar that takes columns, on which a mark would stand.
  private static func added(by scalar: Unicode.Scalar, after last: inout Int) -> Int {
    // Asks for the emoji form of a character that also has a text form. Some terminals then use two columns.
    if scalar == "\u{FE0F}" {
      defer { last = 2 }
      return last == 1 ? 1 : 0
    }
    let width = width(of: scalar)
    if width > 0 { last = width }
    return width
  }

  private static func width(of scalar: Unicode.Scalar) -> Int {
    if scalar.value < 0x300 { return scalar.value < 0x20 || scalar.value == 0x7F ? 0 : 1 }
    switch scalar.properties.generalCategory {
    case .format: return isPrependedMark(scalar) ? 1 : 0
    case .nonspacingMark, .enclosingMark, .control: return 0
    default: break
    }
    return isWide(scalar) ? 2 : 1
  }

  /// Whether this is a visible format character, which stands around the digits or letters after it (Unicode's property
  /// `Prepended_Concatenation_Mark`).
  private static func isPrependedMark(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x600...0x605, 0x6DD, 0x70F, 0x890...0x891, 0x8E2, 0x110BD, 0x110CD: true
    default: false
    }
  }

  /// Whether a scalar is East Asian Wide or Fullwidth (UAX #11, `EastAsianWidth.txt`). Blocks of mixed widths count as
  /// wide, so that no terminal uses more columns than counted. Characters with an emoji form by default count as wide
  /// too.
  private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.properties.isEmojiPresentation { return true }
    switch scalar.value {
    case 0x1100...0x11FF,  // Hangul Jamo
      0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23F3,  // clocks and angle brackets among the technical symbols
      0x2E80...0x303E, 0x3040...0xA4CF,  // from CJK radicals to Yi: kana, ideographs
      0xA960...0xA97F, 0xAC00...0xD7FF,  // Hangul
      0xF900...0xFAFF, 0xFE10...0xFE1F, 0xFE30...0xFE6F,  // compatibility forms
      0xFF00...0xFF60, 0xFFE0...0xFFE6,  // full width
      0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF, 0x1D300...0x1D37F,  // Tangut, Khitan, kana supplements, counting rods
      0x1F000...0x1FAFF,  // tiles, cards, enclosed ideographs, emoji
      0x20000...0x3FFFD:  // ideographs
      return true
    default: return false
    }
  }
}
