// The part of the plain English rule that a test can check: a sentence names its actor.

extension Rule {
  private static let vague = Pattern(#"\b(?:[Ww]hoever|[Ss]omebody|[Aa]nybody|(?:is|are) to be)\b"#)
  /// A sentence that starts with a relative pronoun. A question may.
  private static let headless = Pattern(#"(?:^[\W_]*|[.:;!?]\s+)((?:Who|Whose)\s[^.?!]*)(?:[.!]|$)"#)

  static let namesActors = Rule(name: "A sentence names its actor: no 'whoever', 'somebody', 'is to be'") { file in
    let lines = file.proseLines
    return lines.indices.compactMap { i in
      let line = lines[i].drop { " /".contains($0) }
      guard !line.isEmpty else { return nil }
      // Include the next line, because a phrase may be broken there.
      let next = i + 1 < lines.count ? lines[i + 1].drop { " /".contains($0) } : ""
      let text = line + " " + next
      for pattern in [vague, headless] {
        guard let found = pattern.firstMatch(in: String(text))?.last else { continue }
        if pattern.firstMatch(in: String(next))?.last == found { continue }
        return (i, "'\(found.prefix(40))': name the actor, in the active voice")
      }
      return nil
    }
  }
}
