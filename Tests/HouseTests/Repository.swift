// The files of this repository, prepared for the rules.
import Foundation

/// A text file of the repository, or an invented one to try a rule.
struct SourceFile: Sendable {
  /// The path from the root of the repository.
  let path: String
  let lines: [String]
  /// The code of each line, if the file is Swift. Otherwise the whole lines.
  let codeLines: [String]
  /// Only the comments and backticked names of each line of Swift.
  let proseLines: [String]
  /// The literals of each line, if the file is Swift. Otherwise the whole lines.
  let literalLines: [String]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let swift = path.hasSuffix(".swift") ? SwiftText(text) : nil
    codeLines = swift?.codeLines ?? lines
    proseLines = swift?.proseLines ?? []
    literalLines = swift?.literalLines ?? lines
  }

  var isSwift: Bool { path.hasSuffix(".swift") }

  /// The target of a file: `Wire` for `Sources/Wire/Limits.swift`. Nil outside `Sources`.
  var room: String? {
    let parts = path.split(separator: "/")
    return parts.count >= 3 && parts[0] == "Sources" ? String(parts[1]) : nil
  }
}

enum Repository {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// All text files that git tracks or would track. Without git, all files that no build has made.
  static let files: [SourceFile] = paths.sorted().compactMap { path in
    guard let data = try? Data(contentsOf: root.appendingPathComponent(path)),
      let text = String(data: data, encoding: .utf8), !text.contains("\0")
    else { return nil }
    return SourceFile(path: path, text: text)
  }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
  }

  private static var paths: [String] { fromGit ?? fromFolder }

  private static var fromGit: [String]? {
    let git = Process()
    git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    git.arguments = ["git", "-C", root.path, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    let output = Pipe()
    git.standardOutput = output
    git.standardError = FileHandle.nullDevice
    guard (try? git.run()) != nil, let data = try? output.fileHandleForReading.readToEnd() else { return nil }
    git.waitUntilExit()
    return git.terminationStatus == 0 ? data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) } : nil
  }

  private static var fromFolder: [String] {
    let all = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
    return all.filter { path in
      !path.split(separator: "/").contains { part in
        [".git", ".swiftpm", "__pycache__", "Package.resolved"].contains(part) || part.hasPrefix(".build")
      }
    }
  }
}

/// A regular expression for single lines.
struct Pattern: Sendable {
  private let expression: NSRegularExpression

  init(_ pattern: String) { expression = try! NSRegularExpression(pattern: pattern) }

  /// Returns the first match: the whole match, then its groups. A group that did not take part is empty.
  func firstMatch(in line: String) -> [String]? { matches(in: line).first }

  func matches(in text: String) -> [[String]] {
    expression.matches(in: text, range: NSRange(text.startIndex..., in: text)).map { match in
      (0..<match.numberOfRanges).map { i in Range(match.range(at: i), in: text).map { String(text[$0]) } ?? "" }
    }
  }
}
