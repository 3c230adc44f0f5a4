// How names from strangers are changed for use as a file name and on a terminal.
import Testing

@testable import Content

private func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }
private func acutes(_ count: Int) -> String { repeated("\u{0301}", count) }
private let longest = repeated("a", 255)

private let names: [(String, String?)] = [
  ("video.mp4", "video.mp4"),
  ("two words (1).tar.gz", "two words (1).tar.gz"),
  ("a..b", "a..b"),
  ("trailing.", "trailing."),
  ("/etc/passwd", "passwd"),
  ("../../etc/passwd", "passwd"),
  ("folder/", "folder"),
  (#"C:\Windows\system32.dll"#, "system32.dll"),
  ("/", nil), ("", nil), (".", nil), ("..", nil), ("...", nil), ("a/..", nil), (#"..\"#, nil), ("\0", nil),
  (" ", nil), ("\u{202E}\u{200B}\n", nil), (". . .", nil),
  (".bashrc", "bashrc"), ("..hidden", "hidden"), (" .hidden", "hidden"), (". .hidden", "hidden"),
  ("\u{0}.hidden", "hidden"), ("\u{200B}.hidden", "hidden"), ("\u{FEFF}..hidden", "hidden"),
  // Names that other programs would take for options.
  ("-rf", "rf"), ("--force", "force"), ("-", nil), ("- -x", "x"), ("-.bashrc", "bashrc"), (".-x", "x"),
  ("\u{200B}-x", "x"), ("folder/-x", "x"), ("a-b-", "a-b-"),
  ("a\0b", "ab"), ("a\nb\r\n", "ab"), ("a\u{1B}[2Jb", "a[2Jb"),
  ("a\u{7F}\u{9B}b", "ab"), ("a\u{2028}b\u{2029}", "ab"),
  // A name that looks like "exe.jpg" to a person and is "gpj.exe" to a program.
  ("photo\u{202E}gpj.exe", "photogpj.exe"), ("\u{2066}a\u{2069}\u{200E}", "a"),
  ("  spaced\u{00A0} ", "spaced"),
  // As characters these are not a slash or a dot, but their bytes contain one.
  ("a/\u{0338}b", "\u{0338}b"), (".\u{0301}x", "\u{0301}x"),
  ("żółć.txt", "żółć.txt"), ("写真.jpg", "写真.jpg"), ("👩‍👩‍👧.png", "👩‍👩‍👧.png"), ("نامه‌ها.txt", "نامه‌ها.txt"),
  (longest, longest), (longest + "a", longest),
  (longest + ".mp4", repeated("a", 251) + ".mp4"),
  (repeated("é", 200) + ".mp4", repeated("é", 125) + ".mp4"),
  (repeated("👩‍👩‍👧", 20) + ".png", repeated("👩‍👩‍👧", 13) + ".png"),
  // The cut falls before white space, or within a character.
  (repeated("a", 254) + " b", repeated("a", 254)), (repeated("a", 252) + " \u{00A0}b", repeated("a", 252)),
  (repeated("a", 250) + " .mp" + repeated("4", 40), repeated("a", 250) + " .mp4"),
  (repeated("a", 253) + "\u{2003}b", repeated("a", 253)),
  (repeated("a", 254) + "éa", repeated("a", 254)), (repeated("a", 253) + "写真", repeated("a", 253)),
  // The part after the last dot is too long for an extension.
  ("x." + longest, "x." + repeated("a", 253)),
  // A single character that is longer than a name may be.
  ("e" + acutes(200) + ".txt", "e" + acutes(125) + ".txt"),
]

private let texts: [(String, String)] = [
  ("plain name (1).txt", "plain name (1).txt"),
  ("żółć 写真 👩‍👩‍👧", "żółć 写真 👩‍👩‍👧"),
  ("a\n[Downloader] Download complete", #"a\n[Downloader] Download complete"#),
  ("a\r\n\tb", #"a\r\n\tb"#),
  ("\u{1B}[2J\u{1B}]0;title\u{7}", #"\u{1B}[2J\u{1B}]0;title\u{7}"#),
  ("\0\u{7F}\u{9B}", #"\u{0}\u{7F}\u{9B}"#),
  ("photo\u{202E}gpj.exe", #"photo\u{202E}gpj.exe"#),
  ("\u{2028}\u{2029}\u{2066}\u{FEFF}", #"\u{2028}\u{2029}\u{2066}\u{FEFF}"#),
  (#"a\nb"#, #"a\\nb"#),
  ("", ""),
]

@Suite struct SuggestedNameTests {
  // The texts are not arguments of the tests, because the runner would print them unescaped.
  @Test func `a suggested name becomes one harmless path component or nothing`() {
    for (name, expected) in names {
      let result = SuggestedName.sanitised(name)
      let comment = Comment(rawValue: name.debugDescription)
      #expect(result.map { Array($0.utf8) } == expected.map { Array($0.utf8) }, comment)
      if let result { #expect(SuggestedName.sanitised(result) == result, comment) }
    }
  }

  @Test func `no single character makes a harmful name`() throws {
    let scalars = (0...0x10FFFF as ClosedRange<UInt32>).filter { $0 < 0x3100 || $0 % 251 == 0 || $0 >> 8 == 0xE00 }
    for scalar in scalars.compactMap(Unicode.Scalar.init) {
      for name in [
        "\(scalar)", "\(scalar).", ".\(scalar)", "\(scalar)..", "a\(scalar)b", "\(scalar)/..", "\(scalar)-a",
      ] {
        guard let result = SuggestedName.sanitised(name) else { continue }
        let bytes = Array(result.utf8)
        #expect(!bytes.isEmpty && bytes.count <= 255 && bytes[0] != UInt8(ascii: "."), "\(scalar.value)")
        #expect(bytes.first != UInt8(ascii: "-"), "\(scalar.value)")
        #expect(!bytes.contains { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "/") }, "\(scalar.value)")
      }
    }
  }

  @Test func `text escaped for a terminal cannot move the cursor or begin a line`() {
    for (text, expected) in texts { #expect(SuggestedName.escapedForTerminal(text) == expected) }
  }

  @Test func `bytes that are not UTF-8 are escaped as a shell writes them`() {
    let bytes = Array("é\\".utf8) + [0xE9] + Array("a\n".utf8) + [0xF0, 0x9F, 0xFF]
    #expect(SuggestedName.escapedForTerminal(bytes: bytes) == #"é\\\xE9a\n\xF0\x9F\xFF"#)
    for (text, expected) in texts { #expect(SuggestedName.escapedForTerminal(bytes: Array(text.utf8)) == expected) }
  }

  @Test func `a whole line is escaped, and text that was escaped before is not escaped again`() {
    for (text, expected) in texts {
      #expect(SuggestedName.harmlessLine(expected) == expected)
      if !text.contains("\\") { #expect(SuggestedName.harmlessLine(text) == expected) }
    }
  }
}
