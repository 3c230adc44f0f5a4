// Prints the differences between a folder and a listing for `verify`: one line or one JSON object for each path.
import Content

struct DifferenceLines {
  private let differences: [FolderDifference]
  private let entryCount: Int
  private let json: Bool

  /// - `entryCount`: the number of entries in the listing.
  /// - `json`: whether programs read stdout.
  init(_ differences: [FolderDifference], entryCount: Int, json: Bool) {
    (self.differences, self.entryCount, self.json) = (differences, entryCount, json)
  }

  /// Prints the lines. Returns the failure with their counts.
  /// - `folder`: the path of the folder.
  func printed(_ folder: String, _ id: FileID) -> Failure {
    for difference in differences {
      Console.output(json ? DifferenceLines.object(difference).finished : DifferenceLines.line(difference))
    }
    let counts = DifferenceCounts(differences)
    if json {
      var line = JSONLine(event: "compared")
      line.set("id", id.hex)
      line.set("entries", entryCount)
      line.set("different", counts.different)
      line.set("missing", counts.missing)
      line.set("extra", counts.extra)
      line.set("unreadable", counts.unreadable)
      Console.output(line.finished)
    }
    // If some paths cannot be read and nothing else differs, the folder may be right.
    let code = counts.unreadable == differences.count ? Exit.noInput : Exit.badData
    return Failure(
      code,
      "\(folder): is not the folder \(id.hex) of \(Format.count(entryCount, "entry", "entries")): \(counts.words); "
        + counts.advice)
  }

  /// Returns a line in the form of `sha256sum -c`.
  static func line(_ difference: FolderDifference) -> String {
    "\(Console.escaped("\(difference.path)")): FAILED (\(words(difference.kind)))"
  }

  private static func words(_ kind: FolderDifference.Kind) -> String {
    switch kind {
    case .missing: "missing"
    case .extra: "extra"
    case .content: "different content"
    case .mode(let isExecutable): isExecutable ? "executable, and should not be" : "not executable, and should be"
    case .target(let target, let expected):
      "a link to '\(Console.escaped("\(target)"))', not to '\(Console.escaped("\(expected)"))'"
    case .type(let type, let expected): "a \(words(type)), not a \(words(expected))"
    case .unreadable(let reason): "cannot be read: \(Console.escaped(reason))"
    }
  }

  private static func words(_ type: FolderDifference.EntryType) -> String {
    type == .special ? "special file" : type.rawValue
  }

  private static func object(_ difference: FolderDifference) -> JSONLine {
    var line = JSONLine(event: "difference")
    line.set("path", "\(difference.path)")
    func set(_ reason: String, found: String, expected: String) {
      line.set("reason", reason)
      line.set("found", found)
      line.set("expected", expected)
    }
    switch difference.kind {
    case .missing: line.set("reason", "missing")
    case .extra: line.set("reason", "extra")
    case .content: line.set("reason", "content")
    case .mode(let isExecutable):
      line.set("reason", "mode")
      line.set("executable", isExecutable)
    case .target(let target, let expected): set("target", found: "\(target)", expected: "\(expected)")
    case .type(let type, let expected): set("type", found: type.rawValue, expected: expected.rawValue)
    case .unreadable(let reason):
      line.set("reason", "unreadable")
      line.set("text", reason)
    }
    return line
  }
}

/// The number of paths that differ, by what to do about them.
struct DifferenceCounts {
  private(set) var different = 0
  private(set) var missing = 0
  private(set) var extra = 0
  private(set) var unreadable = 0

  init(_ differences: [FolderDifference]) {
    for difference in differences {
      switch difference.kind {
      case .missing: missing += 1
      case .extra: extra += 1
      case .unreadable: unreadable += 1
      case .content, .mode, .target, .type: different += 1
      }
    }
  }

  var words: String {
    let counts = [(different, "different"), (missing, "missing"), (extra, "extra"), (unreadable, "unreadable")]
    return counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
  }

  var advice: String {
    if different + missing > 0 {
      return "'p2pnode get --update' fetches what differs" + (extra > 0 ? ", --delete removes what is extra" : "")
    }
    return extra > 0 ? "remove what is extra, or leave it out with --exclude" : "make it readable for this user"
  }
}
