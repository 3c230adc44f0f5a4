// The word that a misspelt one probably stands for.

package enum Misspelling {
  /// Edits between a word and its guess, at most.
  private static let editsMax = 2
  /// In words of at most so many characters a second edit leaves too little of the word.
  private static let shortWordLength = 4
  /// Longer words are not compared: no word is similar, and the time grows with the length.
  private static let wordLengthMax = 64

  /// The one known word that is nearest; nil if none is near, or if two are equally near.
  package static func guess(for word: String, among words: some Sequence<String>) -> String? {
    guard word.count <= wordLengthMax else { return nil }
    let typed = word.lowercased()
    let near = Set(words).compactMap { known -> (word: String, edits: Int)? in
      let edits = edits(from: typed, to: known.lowercased())
      let length = min(typed.count, known.count)
      return edits < length && edits <= (length <= shortWordLength ? 1 : editsMax) ? (known, edits) : nil
    }
    guard let least = near.map(\.edits).min() else { return nil }
    let nearest = near.filter { $0.edits == least }
    return nearest.count == 1 ? nearest[0].word : nil
  }

  /// The end of a message about a word; empty if there is no guess.
  package static func question(about word: String, among words: some Sequence<String>) -> String {
    guess(for: word, among: words).map { " (did you mean '\($0)'?)" } ?? ""
  }

  /// Returns the number of edits: insert, delete, replace, or swap two neighbours ("optimal string alignment").
  package static func edits(from a: String, to b: String) -> Int {
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
