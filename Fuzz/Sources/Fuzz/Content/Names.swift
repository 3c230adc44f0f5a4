// Names that strangers suggest, made into a path component and into text for a terminal.
@testable import Content

enum Names {
  static let target = Target(
    "name",
    seeds: { _ in
      ["video.mp4", "../../etc/passwd", "a\\b\u{202E}gnp.exe", ".. ", "e\u{301}\u{200D}", "a\u{1B}[2J\n\t\\u{9}"]
        .map { Array($0.utf8) } + [Array(repeating: 0x61, count: 250) + Array(" .tar.gz".utf8)]
    }, run)

  private static func run(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let name = SuggestedName.sanitised(text) { check(name) }
    let escaped = SuggestedName.escapedForTerminal(text)
    require(!escaped.unicodeScalars.contains(where: SuggestedName.isHarmful), "an escaped text is harmless")
    require(unescaped(escaped).unicodeScalars.elementsEqual(text.unicodeScalars), "an escaped text can be read back")
    let line = SuggestedName.harmlessLine(text)
    require(!line.unicodeScalars.contains(where: SuggestedName.isHarmful), "a line is harmless")
    require(SuggestedName.harmlessLine(line) == line, "a harmless line stays what it is")
  }

  private static func check(_ name: String) {
    let scalars = name.unicodeScalars
    require((1...255).contains(name.utf8.count), "a name fits a file system")
    require(!scalars.contains { $0 == "/" || $0 == "\\" || $0 == "\0" }, "a name is one component")
    require(!scalars.contains(where: SuggestedName.isHarmful), "a name is harmless")
    require(scalars.first != "." && scalars.first?.properties.isWhitespace == false, "a name is seen and not hidden")
    require(scalars.first != "-", "a name is no option")
    require(scalars.last?.properties.isWhitespace == false, "a name does not end in white space")
    require(SuggestedName.sanitised(name) == name, "a harmless name stays what it is")
  }

  private static func unescaped(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "\\" else {
        out.append(scalar)
        continue
      }
      switch rest.popFirst() {
      case "n"?: out.append("\n")
      case "r"?: out.append("\r")
      case "t"?: out.append("\t")
      case "u"?:
        let digits = String(rest.prefix { $0 != "}" }.dropFirst())
        rest = rest.dropFirst(digits.unicodeScalars.count + 2)
        out.append(UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init) ?? "?")
      case let other?: out.append(other)
      case nil: out.append("?")
      }
    }
    return String(out)
  }
}
