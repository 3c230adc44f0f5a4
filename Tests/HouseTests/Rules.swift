// The house rules. All files follow them, so that a reader of one file knows the style of all.
import Testing

/// A rule that is checked file by file.
struct Rule: Sendable, CustomTestStringConvertible {
  let name: String
  /// Returns the lines that break the rule, from 0, each with what is wrong.
  let check: @Sendable (SourceFile) -> [(line: Int, what: String)]

  var testDescription: String { name }

  /// Returns what breaks the rule, as `path:line: what`.
  func findings(in file: SourceFile) -> [String] {
    check(file).map { "\(file.path):\($0.line + 1): \($0.what)" }
  }
}

extension Rule {
  static let all = [
    opensWithComment, isShort, isFinished, importsWhatItMay, isPure, keepsPointersIn, provesItsSharing, neverWaits,
    passesNoTime, endsOnlyAtItsEnd, namesActors, namesNoMachine,
  ]

  /// The most lines of a file. This is much longer than a file should be: readers do not get through more.
  static let linesMax = 450

  static let opensWithComment = Rule(name: "A source file opens with a sentence of purpose") { file in
    let isScript = file.lines[0].hasPrefix("#!")
    let first = file.lines.dropFirst(isScript ? 1 : 0).first ?? ""
    let openings =
      switch true {
      case file.isSwift || file.path.hasSuffix(".h"): ["// "]
      case isScript: ["# ", "\"\"\""]
      default: [String]()
      }
    guard !openings.isEmpty, !openings.contains(where: first.hasPrefix) else { return [] }
    return [(isScript ? 1 : 0, "opens with '\(first)' instead of a comment")]
  }

  static let isShort = Rule(name: "A file is short enough to be read") { file in
    guard file.isSwift && file.lines.count > linesMax else { return [] }
    return [(linesMax, "has \(file.lines.count) lines, more than \(linesMax)")]
  }

  private static let leftovers = Pattern(#"\b(TO"# + #"DO|FIX"# + #"ME|XX"# + #"X)\b"#)

  static let isFinished = Rule(name: "Nothing is left for later") { file in
    file.lines.enumerated().compactMap { i, line in
      leftovers.firstMatch(in: line).map { (i, "\($0[1]): do it, or say in a sentence how things are") }
    }
  }

  private static let imports = Pattern(
    #"^\s*(?:@\w+(?:\([^)]*\))?\s+|(?:public|package|internal|fileprivate|private)\s+)*import\s+"#
      + #"(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)"#)

  static let importsWhatItMay = Rule(name: "A target imports what it may, and no more") { file in
    guard file.isSwift, let name = file.room else { return [] }
    guard let room = Rooms.all[name] else { return [(0, "\(name) is no target of the house: see Rooms.swift")] }
    return file.codeLines.enumerated().compactMap { i, line in
      guard let module = imports.firstMatch(in: line)?[1],
        !room.dependencies.contains(module) && !room.toolchain.contains(module)
      else { return nil }
      return (i, "\(name) may not import \(module)")
    }
  }

  /// Clocks, random generators that were not passed in, and logs.
  private static let surroundings = Pattern(
    #"\.now\b|\bDate\(|\b(?:Continuous|Suspending)Clock\b|\bSystemRandomNumberGenerator\b|\bRandom\.|"#
      + #"\.(?:random|shuffle|shuffled|randomElement)\((?![^)]*\busing:)|\bprint\("#)

  static let isPure = Rule(name: "What decides reads no clock, draws no random number and never logs") { file in
    guard file.isSwift, let room = file.room, Rooms.all[room]?.isPure == true else { return [] }
    return file.codeLines.enumerated().compactMap { i, line in
      surroundings.firstMatch(in: line).map { (i, "\($0[0]) in \(room), which is pure: let the caller hand it in") }
    }
  }

  private static let pointers = Pattern(
    #"\b(?:Unsafe|withUnsafe|_unsafe|unsafeBitCast|unsafeDowncast|OpaquePointer|Unmanaged)\w*"#)

  static let keepsPointersIn = Rule(name: "Unsafe pointers stay in Sodium, Posix, SQLite and the named files") { file in
    guard file.isSwift, let room = file.room, !Rooms.unsafeRooms.contains(room),
      !Rooms.unsafeFiles.contains(file.path)
    else { return [] }
    return file.codeLines.enumerated().compactMap { i, line in
      pointers.firstMatch(in: line).map { (i, "\($0[0]): take a span or an array, or move it to Posix or Sodium") }
    }
  }

  private static let claims = Pattern(#"@unchecked\s+Sendable|nonisolated\s*\(\s*unsafe\s*\)"#)

  static let provesItsSharing = Rule(name: "What the compiler cannot check has its reason just above") { file in
    guard file.isSwift else { return [] }
    return file.codeLines.enumerated().compactMap { i, line in
      guard let claim = claims.firstMatch(in: line) else { return nil }
      let above = i == 0 ? "" : file.lines[i - 1].drop { $0 == " " }
      return above.hasPrefix("//") ? nil : (i, "\(claim[0]) without a comment above that says why it holds")
    }
  }

  private static let waits = Pattern(#"\b\w*sleep\s*\("#)

  static let neverWaits = Rule(name: "A test waits for what it needs, never for a time") { file in
    guard file.path.hasPrefix("Tests/") else { return [] }
    return file.codeLines.enumerated().compactMap { i, line in
      waits.firstMatch(in: line).map { (i, "\($0[0]): wait for the event itself") }
    }
  }

  private static let times = Pattern(
    #"\bp?poll\(nil\b|\bselect\(\s*0\b|\basyncAfter\b|\b(?:Timer|DispatchSourceTimer|setitimer|alarm)\("#
      + #"|\bwhile [^{,&|]*\b(?:now|\w*[sS]econds)\s*<[^{,&|]*\{[^{}]*\}\s*$"#)
  private static let shellSleeps = Pattern(#"\bsleep\s+[\d.$]"#)
  /// The peers of the hostile suite are slow on purpose. The samples of this rule are not real waits.
  private static let mayPassTime: Set = ["Tests/Hostile/Child.swift", "Tests/HouseTests/RuleTests.swift"]

  static let passesNoTime = Rule(name: "A test hides no wait for a time in a call or a shell") { file in
    guard file.path.hasPrefix("Tests/"), !mayPassTime.contains(file.path) else { return [] }
    return file.codeLines.indices.compactMap { i in
      let found = times.firstMatch(in: file.codeLines[i]) ?? shellSleeps.firstMatch(in: file.literalLines[i])
      return found.map { (i, "'\($0[0])' lets time pass: wait for the event itself") }
    }
  }

  private static let machinePaths = Pattern(#"(?<![\w.~/-])/(?:work|home|root|opt|tmp|Users|mnt)/\w+"#)

  static let namesNoMachine = Rule(name: "No file names a path of one machine") { file in
    file.lines.enumerated().compactMap { i, line in
      machinePaths.firstMatch(in: line).map { (i, "\($0[0]) is a path of one machine") }
    }
  }
}
