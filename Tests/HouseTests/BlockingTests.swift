// Library functions that block must be marked, so that the compiler refuses them in async code.
import Testing

@Suite struct BlockingTests {
  /// Returns the public functions whose comments say that they block and that async code may still call.
  private func unmarked(in file: SourceFile) -> [String] {
    var (blocks, isMarked) = (false, false)
    var found: [String] = []
    for (line, code) in zip(file.lines, file.codeLines) {
      let text = line.drop { $0 == " " }
      if text.hasPrefix("///") {
        if Pattern(#"\b[Bb]locks (?:until|while)\b"#).firstMatch(in: line) != nil { blocks = true }
      } else if text.hasPrefix("@available(*, noasync") {
        isMarked = true
      } else {
        let isPublic = Pattern(#"\bpublic\b.*\b(?:func|init)\b"#).firstMatch(in: code) != nil
        if blocks, !isMarked, isPublic { found.append("\(file.path): \(text)") }
        (blocks, isMarked) = (false, false)
      }
    }
    return found
  }

  @Test func `the compiler rejects a blocking call in async code`() {
    let library = Repository.files.filter { $0.isSwift && ["PeerNode", "P2P"].contains($0.room) }
    #expect(library.flatMap(unmarked) == [])
    #expect(library.flatMap(\.lines).count { $0.contains("@available(*, noasync") } >= 8)
  }

  @Test func `a blocking function without its mark is found`() {
    let text = """
      /// Blocks until the end.
      public func wait() {}
      /// Blocks until the end.
      @available(*, noasync, message: "use 'await end()'")
      public func end() {}
      /// Takes blocks, if there are any.
      public func take() {}
      /// Blocks until the end.
      func own() {}
      """
    #expect(
      unmarked(in: SourceFile(path: "Sources/P2P/A.swift", text: text)) == [
        "Sources/P2P/A.swift: public func wait() {}"
      ])
  }
}
