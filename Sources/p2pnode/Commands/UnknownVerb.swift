// Reports a verb that does not exist, and the one that was probably meant.
import ArgumentParser
import Content
import Wire

enum UnknownVerb {
  /// The most edits between a word and the verb that is suggested.
  private static let editsMax = 2
  /// Longer words are not compared: no verb is similar, and the time grows with the length.
  private static let wordLengthMax = 32

  /// Returns what is wrong with the verb of a command line. Nil if the verb exists, or there is none.
  static func fault(in arguments: [String], verbs: [String]) -> ValidationError? {
    let words = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
    guard let word = words.first, !word.hasPrefix("-"), !verbs.contains(word) else { return nil }
    let shown = Console.escaped(String(word.prefix(80)))
    guard let verb = meant(by: word, verbs) else { return ValidationError("Unknown verb '\(shown)'") }
    return ValidationError("Unknown verb '\(shown)'. Did you mean '\(verb)'?")
  }

  /// Returns the verb that was probably meant. For an ID or a link, that is `get`.
  static func meant(by word: String, _ verbs: [String]) -> String? {
    if FileLink.isMeant(by: word) || FileID(hex: word) != nil { return "get \(word)" }
    guard word.count <= wordLengthMax else { return nil }
    let word = word.lowercased()
    let near = verbs.map { (verb: $0, edits: edits(from: word, to: $0)) }
      .filter { $0.edits <= editsMax && $0.edits < min(word.count, $0.verb.count) }
    return near.min { $0.edits < $1.edits }?.verb
  }

  /// Returns the number of edits: insert, delete, replace, or swap two neighbours ("optimal string alignment").
  static func edits(from a: String, to b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    // Rows of the table of edits for the prefixes of `b`: the row before the last one, then the last one.
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var least = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, beforeLast[j - 1] + 1) }
        row.append(least)
      }
      (beforeLast, last) = (last, row)
    }
    return last[b.count]
  }
}
