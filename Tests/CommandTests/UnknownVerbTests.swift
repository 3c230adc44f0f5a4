// A misspelt verb gets a guess, and so does another program's word for it.
import Testing

@testable import p2pnode

struct UnknownVerbTests {
  private let workbench = Workbench()
  private static let verbs = ["serve", "send", "get", "receive", "ls", "id", "link", "verify", "config", "help"]
  private static let fileID = String(repeating: "ab", count: 32)

  @Test(arguments: [
    ("sevre", "serve"), ("server", "serve"), ("Serve", "serve"), ("gt", "get"), ("got", "get"), ("gte", "get"),
    ("recieve", "receive"), ("lss", "ls"), ("lnik", "link"), ("hlep", "help"), ("i", nil),
    ("to", nil), ("", nil),
    ("list", "ls"), ("download", "get"), ("dowload", "get"), ("fetch", "get"), ("uplaod", "send"), ("sned", "send"),
    ("nonsense", nil), (String(repeating: "serve", count: 20), nil),
  ])
  func `the guess is at most two edits away, and fewer than the word has characters`(word: String, verb: String?) {
    #expect(UnknownVerb.meant(by: word, UnknownVerbTests.verbs) == verb)
  }

  @Test func `an ID or a link alone is something to get`() {
    for word in [UnknownVerbTests.fileID, "p2pnode:x"] {
      #expect(UnknownVerb.meant(by: word, UnknownVerbTests.verbs) == "get \(word)")
    }
  }

  @Test(arguments: [["sevre", "."], ["help", "sevre"]])
  func `a misspelt verb exits with 64 and names the likely one`(arguments: [String]) throws {
    let child = try workbench.ended(try workbench.start(arguments))
    #expect(child.code == 64, "\(child)")
    #expect(
      child.stderr.text == "p2pnode: unknown verb 'sevre' (did you mean 'serve'?); see 'p2pnode --help'\n", "\(child)")
    #expect(child.stdout.bytes.isEmpty, "\(child)")
  }

  @Test func `a word near no verb exits with 64 and is printed harmlessly`() throws {
    let child = try workbench.run("\u{1B}[2J")
    #expect(child.code == 64, "\(child)")
    #expect(child.stderr.text.contains("unknown verb") && child.stderr.text.contains("p2pnode --help"), "\(child)")
    #expect(!child.stderr.bytes.contains(0x1B), "\(child)")
  }
}
