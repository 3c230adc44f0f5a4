// A misspelt command gets a suggestion, as a misspelt option does.
import Testing

@testable import p2pnode

struct UnknownVerbTests {
  private let workbench = Workbench()
  private static let verbs = ["serve", "get", "receive", "ls", "id", "link", "verify", "config", "help"]
  private static let fileID = String(repeating: "ab", count: 32)

  @Test(arguments: [
    ("sevre", "serve"), ("server", "serve"), ("Serve", "serve"), ("gt", "get"), ("got", "get"), ("gte", "get"),
    ("recieve", "receive"), ("list", "link"), ("lss", "ls"), ("lnik", "link"), ("hlep", "help"), ("i", nil),
    ("to", nil), ("", nil),
    ("upload", nil), (String(repeating: "serve", count: 20), nil),
  ])
  func `the guess is at most two edits away, and fewer than the word has characters`(word: String, verb: String?) {
    #expect(UnknownVerb.meant(by: word, UnknownVerbTests.verbs) == verb)
  }

  @Test func `an edit inserts, removes, replaces or swaps characters`() {
    #expect(UnknownVerb.edits(from: "get", to: "get") == 0)
    #expect(UnknownVerb.edits(from: "", to: "get") == 3)
    #expect(UnknownVerb.edits(from: "gte", to: "get") == 1)
    #expect(UnknownVerb.edits(from: "kitten", to: "sitting") == 3)
  }

  @Test func `for an ID or a link alone the guess is get`() {
    for word in [UnknownVerbTests.fileID, "p2pnode:x"] {
      #expect(UnknownVerb.meant(by: word, UnknownVerbTests.verbs) == "get \(word)")
    }
  }

  @Test(arguments: [["sevre", "."], ["help", "sevre"]])
  func `a misspelt verb exits with 64 and names the likely one`(arguments: [String]) throws {
    let child = try workbench.ended(try workbench.start(arguments))
    #expect(child.code == 64, "\(child)")
    #expect(child.stderr.text.contains("Unknown verb 'sevre'. Did you mean 'serve'?"), "\(child)")
    #expect(child.stdout.bytes.isEmpty, "\(child)")
  }

  @Test func `a word near no verb exits with 64 and is printed harmlessly`() throws {
    let child = try workbench.run("\u{1B}[2J")
    #expect(child.code == 64, "\(child)")
    #expect(child.stderr.text.contains("Unknown verb") && child.stderr.text.contains("p2pnode --help"), "\(child)")
    #expect(!child.stderr.bytes.contains(0x1B), "\(child)")
  }
}
