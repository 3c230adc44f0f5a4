// What is wrong with a command line, in the one form of all errors: what it is, and where to read more.
import ArgumentParser
import CommandSettings

enum UsageFault {
  /// The end of a command whose line is wrong.
  /// - `verb`: whose help says more; nil: that of all.
  static func failure(_ words: String, _ verb: String?) -> Failure {
    Failure(Exit.usage, "\(words); see '\(["p2pnode", verb, "--help"].compactMap(\.self).joined(separator: " "))'")
  }

  /// The end of a command whose line the parser or a verb's `validate` refuses.
  /// - `message`: theirs.
  /// - `type`: of the verb; nil: there is no such verb.
  static func failure(
    _ message: String, in arguments: [String], of verb: String, _ type: (any ParsableCommand.Type)?
  ) -> Failure {
    guard let type else { return failure(plain(message), nil) }
    let found = option(in: Array(arguments.dropFirst()), of: KnownOption.all(of: type), verb)
    return failure(found ?? plain(message), verb)
  }

  /// What is wrong with an option's name, or with its missing value; nil where nothing is.
  static func option(in words: [String], of options: [KnownOption], _ verb: String) -> String? {
    let names = options.flatMap(\.names)
    var rest = words.prefix { $0 != "--" }
    while let word = rest.popFirst() {
      guard word.hasPrefix("--") || names.contains(word) else { continue }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      guard let option = options.first(where: { $0.names.contains(name) }) else {
        return unknown(name, of: names, verb)
      }
      guard let value = option.value else { continue }
      let given = parts.count > 1 ? String(parts[1]) : rest.popFirst()
      // The parser takes no word that begins with a hyphen for a value.
      guard let given, parts.count > 1 ? !given.isEmpty : given == "-" || !given.hasPrefix("-") else {
        return "\(name) has no value: write \(examples(of: name, value))"
      }
      // The one value that is more than a text to the parser, which does not say what it must be.
      if name == "--keep-serving", Stay(argument: given) == nil {
        return "\(name) '\(Console.escaped(given))' is not a time with its unit, such as 30s, 10m or 2h"
      }
    }
    return nil
  }

  private static func unknown(_ name: String, of names: [String], _ verb: String) -> String {
    let guess = Misspelling.guess(for: bare(name), among: names.filter { $0.hasPrefix("--") }.map(bare))
    let question = guess.map { " (did you mean '--\($0)'?)" } ?? ""
    return "'\(verb)' has no option '\(Console.escaped(String(name.prefix(80))))'\(question)"
  }

  private static func bare(_ name: String) -> String { String(name.drop { $0 == "-" }) }

  /// - `value`: how the help calls it.
  private static func examples(of name: String, _ value: String) -> String {
    let examples = SettingKey(rawValue: bare(name))?.examples ?? []
    return (examples.isEmpty ? [value] : examples).map { "\(name) \($0)" }.joined(separator: " or ")
  }

  /// A message without the capital and the full stop of a sentence.
  static func plain(_ message: String) -> String {
    var text = message.split(separator: "\n").first.map(String.init) ?? ""
    if text.hasSuffix(".") { text.removeLast() }
    guard let first = text.first, text.dropFirst().first?.isLowercase == true else { return text }
    return first.lowercased() + text.dropFirst()
  }
}

/// An option of a verb, as the verb's help lists it.
struct KnownOption: Hashable {
  /// With their hyphens.
  let names: [String]
  /// What stands for the value in the help; nil: it takes none.
  let value: String?

  /// The label of a line of the help: `-o, --output <PATH>`, `--hidden/--no-hidden`.
  init(label: Substring) {
    let parts = label.split(separator: " <", maxSplits: 1)
    names = parts[0].split { ", /".contains($0) }.map(String.init)
    value = parts.count > 1 ? String(parts[1].dropLast()) : nil
  }

  static func all(of verb: any ParsableCommand.Type) -> [KnownOption] {
    // Wide, so that no label is wrapped.
    verb.helpMessage(columns: 10_000).split(separator: "\n").filter { $0.hasPrefix("  -") }.map { line in
      let label = line.dropFirst(2)
      return KnownOption(label: label.firstRange(of: "  ").map { label[..<$0.lowerBound] } ?? label)
    }
  }
}
