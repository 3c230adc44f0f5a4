// Reports a verb that does not exist, and the one that was probably meant.
import CommandSettings
import Content
import Wire

enum UnknownVerb {
  /// Words that other programs have for what a verb does.
  private static let otherWords = [
    "download": "get", "fetch": "get", "pull": "get", "upload": "send", "push": "send", "share": "send",
    "seed": "serve", "list": "ls", "dir": "ls", "hash": "id", "check": "verify", "resume": "parts",
  ]

  /// Returns what is wrong with the verb of a command line. Nil if the verb exists, or there is none.
  static func fault(in arguments: [String], verbs: [String]) -> String? {
    let words = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
    guard let word = words.first, !word.hasPrefix("-"), !verbs.contains(word) else { return nil }
    let question = meant(by: word, verbs).map { " (did you mean '\($0)'?)" } ?? ""
    return "unknown verb '\(Console.escaped(String(word.prefix(80))))'\(question)"
  }

  /// Returns the verb that was probably meant. For an ID or a link, that is `get`.
  static func meant(by word: String, _ verbs: [String]) -> String? {
    if FileLink.isMeant(by: word) || FileID(hex: word) != nil { return "get \(word)" }
    if let verb = otherWords[word.lowercased()] { return verb }
    return Misspelling.guess(for: word, among: verbs)
      ?? Misspelling.guess(for: word, among: otherWords.keys).flatMap { otherWords[$0] }
  }
}
