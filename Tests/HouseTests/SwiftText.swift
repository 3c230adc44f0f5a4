// Splits Swift source into three texts, so that a rule about code sees only code, and a rule about words only words.

/// The parts of a source file, line by line. Each byte keeps its place; the bytes of other parts are blank.
struct SwiftText: Sendable {
  /// Code, including interpolations in strings.
  let codeLines: [String]
  /// Comments, and names in backticks, such as the sentences that name tests.
  let proseLines: [String]
  /// Literals of strings and regular expressions.
  let literalLines: [String]

  init(_ text: String) {
    var scanner = Scanner(text: Array(text.utf8))
    scanner.scanCode(inInterpolation: false)
    func lines(of part: Part) -> [String] {
      zip(scanner.text, scanner.parts).map { byte, its in its == part || byte == newline ? byte : UInt8(ascii: " ") }
        .split(separator: newline, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }
    (codeLines, proseLines, literalLines) = (lines(of: .code), lines(of: .prose), lines(of: .literal))
  }
}

private let newline = UInt8(ascii: "\n")

private enum Part { case code, prose, literal }

private struct Scanner {
  let text: [UInt8]
  /// The part to which each byte belongs.
  private(set) var parts: [Part]
  private var position = 0

  init(text: [UInt8]) {
    self.text = text
    parts = Array(repeating: .code, count: text.count)
  }

  private func isAt(_ word: some Collection<UInt8>) -> Bool {
    position + word.count <= text.count && text[position..<position + word.count].elementsEqual(word)
  }

  /// Assigns bytes that are not code to a part.
  private mutating func take(_ count: Int, as part: Part) {
    let end = min(position + count, text.count)
    for i in position..<end { parts[i] = part }
    position = end
  }

  private mutating func takeLine() {
    while position < text.count && text[position] != newline { take(1, as: .prose) }
  }

  mutating func scanCode(inInterpolation: Bool) {
    var depth = 0
    while position < text.count {
      if isAt("//".utf8) {
        takeLine()
      } else if isAt("/*".utf8) {
        scanBlockComment()
      } else if isAt("`".utf8) {
        scanName()
      } else if isAt("#/".utf8) {
        while position < text.count && !isAt("/#".utf8) { take(1, as: .literal) }
        take(2, as: .literal)
      } else if let opening = openingOfLiteral() {
        take(opening.hashes + (opening.isMultiline ? 3 : 1), as: .literal)
        scanLiteral(hashes: opening.hashes, isMultiline: opening.isMultiline)
      } else {
        if text[position] == UInt8(ascii: "(") { depth += 1 }
        if text[position] == UInt8(ascii: ")") {
          if inInterpolation && depth == 0 { return take(1, as: .literal) }
          depth -= 1
        }
        position += 1
      }
    }
  }

  private mutating func scanBlockComment() {
    var depth = 0
    repeat {
      if isAt("/*".utf8) { depth += 1 }
      if isAt("*/".utf8) { depth -= 1 }
      take(isAt("/*".utf8) || isAt("*/".utf8) ? 2 : 1, as: .prose)
    } while depth > 0 && position < text.count
  }

  private mutating func scanName() {
    take(1, as: .prose)
    while position < text.count && !isAt("`".utf8) && !isAt("\n".utf8) { take(1, as: .prose) }
    take(1, as: .prose)
  }

  private func openingOfLiteral() -> (hashes: Int, isMultiline: Bool)? {
    let hashes = text[position...].prefix { $0 == UInt8(ascii: "#") }.count
    let quotes = text[(position + hashes)...].prefix { $0 == UInt8(ascii: "\"") }.count
    return quotes == 0 ? nil : (hashes, quotes >= 3)
  }

  private mutating func scanLiteral(hashes: Int, isMultiline: Bool) {
    let pounds = [UInt8](repeating: UInt8(ascii: "#"), count: hashes)
    let escape = [UInt8(ascii: "\\")] + pounds
    let closing = [UInt8](repeating: UInt8(ascii: "\""), count: isMultiline ? 3 : 1) + pounds
    while position < text.count {
      if isAt(escape) {
        take(escape.count, as: .literal)
        let isInterpolation = isAt("(".utf8)
        take(1, as: .literal)
        if isInterpolation { scanCode(inInterpolation: true) }
      } else if isAt(closing) {
        return take(closing.count, as: .literal)
      } else if isAt("\n".utf8) && !isMultiline {
        return
      } else {
        take(1, as: .literal)
      }
    }
  }
}
