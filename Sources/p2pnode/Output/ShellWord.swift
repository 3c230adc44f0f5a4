// Quotes texts for a shell.
import Content

enum ShellWord {
  /// Returns a text as one word for a shell. It is in single quotes if it has a character that a shell may change. With
  /// a control character it has the form $'…', which bash, zsh and POSIX 2024 know.
  static func quoted(_ text: String) -> String {
    if !text.isEmpty, text.first != "-", text.utf8.allSatisfy({ isPlain($0) }) { return text }
    if text.unicodeScalars.contains(where: SuggestedName.isHarmful) { return "$'\(withEscapes(text))'" }
    // For each quote: ends the quoted text, adds the quote in double quotes, and begins quoted text again.
    return "'" + text.replacing("'", with: "'\"'\"'") + "'"
  }

  private static func withEscapes(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "'", "\\": out += "\\\(scalar)"
      case _ where SuggestedName.isHarmful(scalar):
        // Three octal digits for each byte, so that a following digit is not read as part of it.
        for byte in String(scalar).utf8 {
          let digits = String(byte, radix: 8)
          out += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
        }
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-_./+,@%".utf8.contains(byte)
    }
  }
}
