// The files of this repository, as the rules look at them.
import Foundation

/// A text file of the repository, or one made up to try a rule.
struct SourceFile: Sendable {
  /// From the repository's root on.
  let path: String
  let lines: [String]
  /// The same lines as code alone, where the file is Swift; else as they are.
  let codeLines: [String]
  /// The comments and names in backticks of Swift alone.
  let proseLines: [String]
  /// The literals of Swift; of other files all of it.
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

  /// `Wire` of `Sources/Wire/Limits.swift`; nil outside `Sources`.
  var room: String? {
    let parts = path.split(separator: "/")
    return parts.count >= 3 && parts[0] == "Sources" ? String(parts[1]) : nil
  }
}

enum Repository {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Every text file that git tracks or would track; without git, every file that is not a product of a build.
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

/// A regular expression over one line.
struct Pattern: Sendable {
  private let expression: NSRegularExpression

  init(_ pattern: String) { expression = try! NSRegularExpression(pattern: pattern) }

  /// The first match: all of it, then its groups; empty where a group took no part.
  func firstMatch(in line: String) -> [String]? { matches(in: line).first }

  func matches(in text: String) -> [[String]] {
    expression.matches(in: text, range: NSRange(text.startIndex..., in: text)).map { match in
      (0..<match.numberOfRanges).map { i in Range(match.range(at: i), in: text).map { String(text[$0]) } ?? "" }
    }
  }
}
