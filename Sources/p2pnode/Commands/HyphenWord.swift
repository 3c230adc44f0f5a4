// Rejects file names that begin with a hyphen: the parser would read `-h.bin` as many short options, one of them `-h`.

enum HyphenWord {
  /// The short options without a value, which may stand together: `-l0`.
  private static let flags: Set<Character> = ["h", "l", "0"]
  /// The options with a one-letter name that take a value.
  private static let options: Set = ["-o", "--output"]

  /// Returns what is wrong with a word that begins with a hyphen. Nil if nothing is. After `--`, all words are names.
  static func fault(in arguments: [String]) -> String? {
    let words = arguments.prefix { $0 != "--" }
    for (i, word) in words.enumerated() {
      let shown = Console.escaped(word)
      if options.contains(word), let path = arguments.dropFirst(i + 1).first, path != "-", path.hasPrefix("-") {
        let path = Console.escaped(path)
        return "'\(word)' has no path, since '\(path)' begins with a hyphen: write ./\(path) for a file"
      }
      guard word.hasPrefix("-"), !word.hasPrefix("--"), word.count > 2, !word.hasPrefix("-o=") else { continue }
      if word.dropFirst().allSatisfy(flags.contains) { continue }
      return "'\(shown)' is not an option: for a file write ./\(shown), or -- before it"
    }
    return nil
  }
}
