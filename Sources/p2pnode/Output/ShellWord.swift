// Words of a shell.

enum ShellWord {
  /// A text as one word of sh, bash and zsh: in single quotes if it has a character that a shell may change.
  static func quoted(_ text: String) -> String {
    if !text.isEmpty, text.first != "-", text.utf8.allSatisfy({ isPlain($0) }) { return text }
    // A quote ends the quoted text, comes in double quotes, and begins it anew.
    return "'" + text.replacing("'", with: "'\"'\"'") + "'"
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
