// Names come from strangers: here they become one harmless path component, or harmless text on a terminal.
// Everything works on Unicode scalars, never on characters: "/" followed by a combining mark is no "/" as a character.

public enum SuggestedName {
  /// The most bytes of UTF-8 that Linux file systems allow in a name (NAME_MAX).
  public static let byteCountMax = 255
  /// An ending longer than this is part of the name and may be cut.
  static let extensionBytesMax = 32

  /// One path component, made from the last part of a path in either slash: at most `byteCountMax` bytes, without control
  /// and direction characters, without white space at its ends, and without dots or hyphens at its start, where a dot
  /// hides the file and a hyphen looks like an option to other programs. Nil if nothing is left.
  public static func sanitised(_ name: String) -> String? {
    let parts = name.unicodeScalars.split { $0 == "/" || $0 == "\\" }
    guard let last = parts.last else { return nil }
    let scalars = withoutSpaceAtEnd(
      last.filter { !isHarmful($0) }.drop { $0 == "." || $0 == "-" || $0.properties.isWhitespace })
    guard !scalars.isEmpty else { return nil }
    // A cut may end in white space that was inside the name.
    return string(withoutSpaceAtEnd(cut(string(scalars)).unicodeScalars))
  }

  /// The text with every scalar escaped that could move a cursor, reorder a line or begin another. A backslash is
  /// doubled, so that no text looks like the escape of another.
  public static func escapedForTerminal(_ text: String) -> String {
    // Most names need nothing.
    if text.utf8.allSatisfy({ 0x20 <= $0 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) { return text }
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": out.append(contentsOf: #"\\"#.unicodeScalars)
      case "\n": out.append(contentsOf: #"\n"#.unicodeScalars)
      case "\r": out.append(contentsOf: #"\r"#.unicodeScalars)
      case "\t": out.append(contentsOf: #"\t"#.unicodeScalars)
      case _ where isHarmful(scalar):
        let digits = String(scalar.value, radix: 16, uppercase: true)
        out.append(contentsOf: #"\u{\#(digits)}"#.unicodeScalars)
      default: out.append(scalar)
      }
    }
    return String(out)
  }

  /// As for a text; a byte that is not UTF-8 becomes `\xE9`, as a shell writes it in $'…'.
  public static func escapedForTerminal(bytes: [UInt8]) -> String {
    var (out, text, rest) = ("", [UInt8](), bytes[...])
    while let byte = rest.first {
      let length = (1...4).first { String(validating: rest.prefix($0), as: UTF8.self) != nil }
      if let length {
        text += rest.prefix(length)
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        out += escapedForTerminal(String(decoding: text, as: UTF8.self)) + #"\x\#(digits)"#
        text = []
      }
      rest = rest.dropFirst(length ?? 1)
    }
    return out + escapedForTerminal(String(decoding: text, as: UTF8.self))
  }

  /// A line of which parts may be escaped already: every scalar escaped that could move a cursor, and all else, also a
  /// backslash, as it is.
  public static func harmlessLine(_ line: String) -> String {
    guard line.unicodeScalars.contains(where: isHarmful) else { return line }
    var out = String.UnicodeScalarView()
    for scalar in line.unicodeScalars {
      if isHarmful(scalar) {
        out.append(contentsOf: escapedForTerminal(String(scalar)).unicodeScalars)
      } else {
        out.append(scalar)
      }
    }
    return String(out)
  }

  /// Control characters (also NUL, escape, newline and C1), line and paragraph separators, and format characters (bidi
  /// overrides, invisible ones); of these last, only the joiners are kept, which emoji and several scripts need.
  public static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    case .format: scalar != "\u{200C}" && scalar != "\u{200D}"
    default: false
    }
  }

  /// At most `byteCountMax` bytes: the start of the name, then its ending (from the last dot on).
  private static func cut(_ name: String) -> String {
    guard name.utf8.count > byteCountMax else { return name }
    let scalars = name.unicodeScalars
    var stem = name
    var ending = ""
    if let dot = scalars.lastIndex(of: "."), name.utf8.distance(from: dot, to: name.endIndex) <= extensionBytesMax {
      stem = String(scalars[..<dot])
      ending = String(scalars[dot...])
    }
    return start(of: stem, bytesMax: byteCountMax - ending.utf8.count) + ending
  }

  /// As many whole characters as fit; where not even the first does, as many scalars.
  private static func start(of text: String, bytesMax: Int) -> String {
    var out = ""
    for character in text {
      guard out.utf8.count + character.utf8.count <= bytesMax else { break }
      out.append(character)
    }
    if !out.isEmpty { return out }
    var scalars = String.UnicodeScalarView()
    var byteCount = 0
    for scalar in text.unicodeScalars {
      byteCount += UTF8.width(scalar)
      guard byteCount <= bytesMax else { break }
      scalars.append(scalar)
    }
    return String(scalars)
  }

  private static func withoutSpaceAtEnd(_ scalars: some Sequence<Unicode.Scalar>) -> [Unicode.Scalar] {
    var kept = Array(scalars)
    while let end = kept.last, end.properties.isWhitespace { kept.removeLast() }
    return kept
  }

  private static func string(_ scalars: [Unicode.Scalar]) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }
}
