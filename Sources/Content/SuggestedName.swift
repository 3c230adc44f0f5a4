// Names come from strangers. This file makes them a harmless path component, or harmless text for a terminal.
// All of it works on Unicode scalars, never on characters: Swift does not see a "/" with a combining mark as a "/".

public enum SuggestedName {
  /// The most bytes of UTF-8 in a name that Linux file systems allow (NAME_MAX).
  public static let byteCountMax = 255
  /// A longer file extension counts as part of the name and may be cut.
  static let extensionBytesMax = 32

  /// Returns one path component, from the part after the last slash or backslash. It has at most `byteCountMax` bytes
  /// and no control or direction characters. It has no white space at either end, and no dot or hyphen at its start: a
  /// dot hides the file, and a hyphen looks like an option to other programs. Nil if nothing is left.
  public static func sanitised(_ name: String) -> String? {
    let parts = name.unicodeScalars.split { $0 == "/" || $0 == "\\" }
    guard let last = parts.last else { return nil }
    let scalars = withoutSpaceAtEnd(
      last.filter { !isHarmful($0) }.drop { $0 == "." || $0 == "-" || $0.properties.isWhitespace })
    guard !scalars.isEmpty else { return nil }
    // The cut may end after white space that was inside the name.
    return string(withoutSpaceAtEnd(cut(string(scalars)).unicodeScalars))
  }

  /// Escapes every scalar that could move the cursor, reorder the line or start a new one. A backslash is doubled, so
  /// no text looks like the escape of another.
  public static func escapedForTerminal(_ text: String) -> String {
    // Most names need no escapes.
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

  /// Does the same for bytes. A byte that is not UTF-8 becomes `\xE9`, as a shell writes it in $'…'.
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

  /// Escapes every scalar of a line that could move the cursor. Keeps all else, also backslashes, because parts of the
  /// line may already be escaped.
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

  /// Whether a scalar is a control character (also NUL, escape, newline and C1), a line or paragraph separator, or a
  /// format character (bidi overrides, invisible ones). The two joiners are allowed: emoji and several scripts need
  /// them.
  public static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    case .format: scalar != "\u{200C}" && scalar != "\u{200D}"
    default: false
    }
  }

  /// Cuts the name to at most `byteCountMax` bytes: keeps its start and its extension (from the last dot on).
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

  /// Returns as many whole characters as fit. If not even the first one fits, as many of its scalars.
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
