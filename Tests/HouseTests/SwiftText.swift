// Swift source without its comments and literals, so that a rule about code sees nothing but code.

/// The code of a source file, line by line. Comments, literals of strings and regular expressions, and names in
/// backticks are blank; what is interpolated into a string is code.
struct SwiftText: Sendable {
  let codeLines: [String]

  init(_ text: String) {
    var scanner = Scanner(text: Array(text.utf8))
    scanner.scanCode(inInterpolation: false)
    codeLines = scanner.code.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
  }
}

private struct Scanner {
  private let text: [UInt8]
  /// The text, in which what is no code was overwritten with spaces.
  private(set) var code: [UInt8]
  private var position = 0

  init(text: [UInt8]) {
    self.text = text
    code = text
  }

  private func isAt(_ word: some Collection<UInt8>) -> Bool {
    position + word.count <= text.count && text[position..<position + word.count].elementsEqual(word)
  }

  private mutating func blank(_ count: Int) {
    for i in position..<min(position + count, text.count) where text[i] != UInt8(ascii: "\n") {
      code[i] = UInt8(ascii: " ")
    }
    position = min(position + count, text.count)
  }

  private mutating func blankLine() {
    while position < text.count && text[position] != UInt8(ascii: "\n") { blank(1) }
  }

  mutating func scanCode(inInterpolation: Bool) {
    var depth = 0
    while position < text.count {
      if isAt("//".utf8) {
        blankLine()
      } else if isAt("/*".utf8) {
        scanBlockComment()
      } else if isAt("`".utf8) {
        scanName()
      } else if isAt("#/".utf8) {
        while position < text.count && !isAt("/#".utf8) { blank(1) }
        blank(2)
      } else if let opening = openingOfLiteral() {
        blank(opening.hashes + (opening.isMultiline ? 3 : 1))
        scanLiteral(hashes: opening.hashes, isMultiline: opening.isMultiline)
      } else {
        if text[position] == UInt8(ascii: "(") { depth += 1 }
        if text[position] == UInt8(ascii: ")") {
          if inInterpolation && depth == 0 { return blank(1) }
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
      blank(isAt("/*".utf8) || isAt("*/".utf8) ? 2 : 1)
    } while depth > 0 && position < text.count
  }

  private mutating func scanName() {
    blank(1)
    while position < text.count && !isAt("`".utf8) && !isAt("\n".utf8) { blank(1) }
    blank(1)
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
        blank(escape.count)
        let isInterpolation = isAt("(".utf8)
        blank(1)
        if isInterpolation { scanCode(inInterpolation: true) }
      } else if isAt(closing) {
        return blank(closing.count)
      } else if isAt("\n".utf8) && !isMultiline {
        return
      } else {
        blank(1)
      }
    }
  }
}
