// Tries each rule on invented files: some break it, and some only seem to.
import Testing

private struct Sample: Sendable, CustomTestStringConvertible {
  let rule: Rule
  let path: String
  let text: String
  /// The numbers of the lines that break the rule, from 1. Empty if the text keeps it.
  let broken: [Int]

  init(_ rule: Rule, _ path: String, _ text: String, broken: [Int]) {
    self.rule = rule
    self.path = path
    self.text = text
    self.broken = broken
  }

  var testDescription: String {
    "\(rule.name): \(path): \(text.prefix(60).split(separator: "\n").joined(separator: " ¶ "))"
  }
}

private let wire = "Sources/Wire/A.swift"
private let test = "Tests/WireTests/A.swift"

private let samples = [
  Sample(.opensWithComment, wire, "import Content\n", broken: [1]),
  Sample(.opensWithComment, wire, "\n// Late.\n", broken: [1]),
  Sample(.opensWithComment, wire, "", broken: [1]),
  Sample(.opensWithComment, wire, "// What it is for.\nimport Content\n", broken: []),
  Sample(.opensWithComment, "Sources/CLinux/shim.h", "#pragma once\n", broken: [1]),
  Sample(.opensWithComment, "scripts/x", "#!/usr/bin/env bash\nset -e\n", broken: [2]),
  Sample(.opensWithComment, "scripts/x", "#!/usr/bin/env bash\n# What it does.\n", broken: []),
  Sample(.opensWithComment, "notes.txt", "Anything\n", broken: []),

  Sample(.isShort, wire, String(repeating: "\n", count: Rule.linesMax), broken: [Rule.linesMax + 1]),
  Sample(.isShort, wire, String(repeating: "\n", count: Rule.linesMax - 1), broken: []),
  Sample(.isShort, "data.txt", String(repeating: "\n", count: Rule.linesMax), broken: []),

  Sample(.isFinished, wire, "// A.\n// TO" + "DO: the rest\n", broken: [2]),
  Sample(.isFinished, "README.md", "FIX" + "ME\n", broken: [1]),
  Sample(.isFinished, "x.py", "# XX" + "X\n", broken: [1]),
  Sample(.isFinished, wire, "// XXpsk0, mkdtemp XXXXXX, todos\n", broken: []),

  Sample(.importsWhatItMay, wire, "import Content\nimport Posix\n", broken: [2]),
  Sample(.importsWhatItMay, wire, "@_implementationOnly import Glibc\n", broken: [1]),
  Sample(.importsWhatItMay, wire, "public import struct Foundation.URL\n", broken: [1]),
  Sample(.importsWhatItMay, wire, "import Sodium\n// import Posix\nlet a = \"import Posix\"\n", broken: []),
  Sample(.importsWhatItMay, wire, "let s = \"\"\"\n  import Posix\n  \"\"\"\n", broken: []),
  Sample(.importsWhatItMay, "Sources/Wire/Deep/A.swift", "import CSodium\n", broken: [1]),
  Sample(.importsWhatItMay, "Sources/PeerNode/A.swift", "import Crypto\n", broken: [1]),
  Sample(.importsWhatItMay, "Sources/PeerNode/A.swift", "import ArgumentParser\n", broken: [1]),
  Sample(.importsWhatItMay, "Sources/Content/A.swift", "import Synchronization\n", broken: [1]),
  Sample(.importsWhatItMay, "Sources/Transfer/A.swift", "import Dispatch\n", broken: [1]),
  Sample(.importsWhatItMay, "Sources/Cellar/A.swift", "// A.\n", broken: [1]),
  Sample(.importsWhatItMay, test, "import Foundation\n", broken: []),

  Sample(.isPure, wire, "let t = Instant.now\n", broken: [1]),
  Sample(.isPure, wire, "let t = Date()\n", broken: [1]),
  Sample(.isPure, wire, "let c = ContinuousClock()\n", broken: [1]),
  Sample(.isPure, wire, "var g = SystemRandomNumberGenerator()\n", broken: [1]),
  Sample(.isPure, wire, "let n = Int.random(in: 1...6)\n", broken: [1]),
  Sample(.isPure, wire, "let k = SecretKey.random()\n", broken: [1]),
  Sample(.isPure, wire, "print(n)\n", broken: [1]),
  Sample(.isPure, wire, "let s = \"at \\(Date())\"\n", broken: [1]),
  Sample(.isPure, wire, "let n = Int.random(in: 1...6, using: &generator)\n", broken: []),
  Sample(.isPure, wire, "// Date() is the caller's\nlet s = \"Date()\"\nlet d = state.nowhere\n", broken: []),
  Sample(.isPure, "Sources/PeerNode/A.swift", "let t = ContinuousClock.now\n", broken: []),

  Sample(.keepsPointersIn, wire, "let p: UnsafeRawPointer\n", broken: [1]),
  Sample(.keepsPointersIn, "Sources/PeerNode/A.swift", "a.withUnsafeBytes { f($0) }\n", broken: [1]),
  Sample(.keepsPointersIn, "Sources/Storage/A.swift", "RawSpan(_unsafeBytes: b)\n", broken: [1]),
  Sample(.keepsPointersIn, "Sources/Posix/A.swift", "let p: UnsafeRawPointer\n", broken: []),
  Sample(.keepsPointersIn, "Sources/Wire/ByteWriter.swift", "let p: UnsafeRawPointer\n", broken: []),
  Sample(.keepsPointersIn, wire, "// UnsafeRawPointer\nlet isUnsafe = true\n", broken: []),

  Sample(.provesItsSharing, wire, "\nfinal class A: @unchecked Sendable {}\n", broken: [2]),
  Sample(.provesItsSharing, wire, "nonisolated(unsafe) var a = 0\n", broken: [1]),
  Sample(.provesItsSharing, test, "// Why.\nlet a = 0\nnonisolated(unsafe) var b = 0\n", broken: [3]),
  Sample(.provesItsSharing, wire, "  /// Why.\n  final class A: @unchecked Sendable {}\n", broken: []),

  Sample(.neverWaits, test, "usleep(10)\n", broken: [1]),
  Sample(.neverWaits, test, "try await Task.sleep(for: .seconds(1))\n", broken: [1]),
  Sample(.neverWaits, "Tests/Interop/a.py", "time.sleep(1)\n", broken: [1]),
  Sample(.neverWaits, test, "@Test func `a peer sleeps`() {}\n// sleep(1)\nlet s = #\"sleep(1)\"#\n", broken: []),
  Sample(.neverWaits, test, "let r = #/a \"sleep(1)/#\nusleep(1)\n", broken: [2]),
  Sample(.neverWaits, "Sources/Posix/A.swift", "nanosleep(&t, nil)\n", broken: []),

  Sample(.passesNoTime, test, "poll(nil, 0, 100)\n", broken: [1]),
  Sample(.passesNoTime, test, "let s = \"sh -c 'sleep 2; cat'\"\n", broken: [1]),
  Sample(.passesNoTime, test, "while clock.now < end { turn() }\n", broken: [1]),
  Sample(.passesNoTime, test, "queue.asyncAfter(deadline: end) {}\n", broken: [1]),
  Sample(.passesNoTime, "Tests/Interop/a.sh", "sleep 1\n", broken: [1]),
  Sample(.passesNoTime, test, "while !isDone, clock.now < end { turn() }\n// sleep 2\npoll(&all, 1, 9)\n", broken: []),
  Sample(.passesNoTime, "Sources/Posix/A.swift", "poll(nil, 0, 100)\n", broken: []),

  Sample(.endsOnlyAtItsEnd, test, "@Test func `a`() {\n  guard b else { return }\n}\n", broken: [2]),
  Sample(.endsOnlyAtItsEnd, test, "@Test func `a`() {\n  if b {\n    return\n  }\n}\n", broken: [3]),
  Sample(
    .endsOnlyAtItsEnd, test, "@Test\nfunc `a`(\n  b: Int\n) throws {\n  for c in d {\n    if c { return }\n  }\n}\n",
    broken: [6]),
  Sample(.endsOnlyAtItsEnd, test, "@Test func `a`() {\n  return #expect(Bool(false))\n}\n", broken: [2]),
  Sample(
    .endsOnlyAtItsEnd, test, "@Test func `a`() {\n  guard b else {\n    Issue.record(\"\")\n    return\n  }\n}\n",
    broken: []),
  Sample(
    .endsOnlyAtItsEnd, test, "@Test func `a`() {\n  b { c in\n    guard c else { return }\n  }\n}\n", broken: []),
  Sample(.endsOnlyAtItsEnd, test, "@Test func `a`() {\n  let b = c.map { d in return d }\n}\n", broken: []),
  Sample(.endsOnlyAtItsEnd, test, "func b() -> Int {\n  return 1\n}\n", broken: []),
  Sample(.endsOnlyAtItsEnd, "Tests/Hostile/A.swift", "func `a`() {\n  return\n}\n", broken: []),

  Sample(.namesActors, wire, "// Whoever asks.\n", broken: [1]),
  Sample(.namesActors, wire, "/// The bytes that are to\n/// be sent.\n", broken: [1]),
  Sample(.namesActors, wire, "/// It ends. Who asks gets none.\n", broken: [1]),
  Sample(.namesActors, wire, "/// - `a`: Whose it is\n", broken: [1]),
  Sample(.namesActors, test, "@Test func `somebody asks`() {}\n", broken: [1]),
  Sample(.namesActors, wire, "// Who has it? They ask who has it.\nlet s = \"somebody\"\n", broken: []),
  Sample(.namesActors, "README.md", "It is to be read.\n", broken: []),

  Sample(.namesNoMachine, "README.md", "See /" + "work/main\n", broken: [1]),
  Sample(.namesNoMachine, "scripts/x", "cd \"/" + "tmp/build\"\n", broken: [1]),
  Sample(.namesNoMachine, test, "let p = \"/" + "home/me\"\n", broken: [1]),
  Sample(.namesNoMachine, test, "let p = \"/tmp\"\n// https://example.org/home/me, a/work/b\n", broken: []),
]

@Suite struct RuleTests {
  @Test(arguments: samples)
  fileprivate func `a rule finds the lines that break it and no others`(sample: Sample) {
    let findings = sample.rule.findings(in: SourceFile(path: sample.path, text: sample.text))
    let expected = sample.broken.map { "\(sample.path):\($0):" }
    #expect(findings.map { $0.split(separator: " ")[0] } == expected.map { Substring($0) })
  }

  @Test func `every rule has a sample that breaks it`() {
    let seen = Set(samples.filter { !$0.broken.isEmpty }.map(\.rule.name))
    #expect(seen == Set(Rule.all.map(\.name)))
  }

  @Test func `a manifest is parsed as it is declared`() {
    let manifest = """
      .systemLibrary(name: "C", pkgConfig: "c"),
      .target(name: "A", dependencies: [.product(name: "Crypto", package: "swift-crypto"), "C"]),
      .executableTarget(
        name: "b",
        dependencies: [
          "A",
          .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]),
      .target(name: "D"),
      .testTarget(name: "ATests", dependencies: ["A"]),
      """
    #expect(
      Rooms.declared(in: manifest) == ["C": [], "A": ["Crypto", "C"], "b": ["A", "ArgumentParser"], "D": []])
  }
}
