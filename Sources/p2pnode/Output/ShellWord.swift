// Words of a shell.
import Content

enum ShellWord {
  /// A text as one word of a shell: in single quotes if it has a character that a shell may change. With a character that
  /// would move a cursor it is in $'…', which bash, zsh and POSIX of 2024 know.
  static func quoted(_ text: String) -> String {
    if !text.isEmpty, text.first != "-", text.utf8.allSatisfy({ isPlain($0) }) { return text }
    if text.unicodeScalars.contains(where: SuggestedName.isHarmful) { return "$'\(withEscapes(text))'" }
    // A quote ends the quoted text, comes in double quotes, and begins it anew.
    return "'" + text.replacing("'", with: "'\"'\"'") + "'"
  }

  private static func withEscapes(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "'", "\\": out += "\\\(scalar)"
      case _ where SuggestedName.isHarmful(scalar):
        // Three octal digits a byte: what follows is never taken for another digit.
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
