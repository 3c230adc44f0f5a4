// Misspelt words get the guess that is near, and no other; errors of usage have one form.
import CommandSettings
import Foundation
import Testing

@testable import p2pnode

struct MisspellingTests {
  private let workbench = Workbench()
  private static let fileID = String(repeating: "ab", count: 32)

  @Test func `edits are characters that are missing, too many, wrong or swapped`() {
    #expect(Misspelling.edits(from: "get", to: "get") == 0)
    #expect(Misspelling.edits(from: "", to: "get") == 3)
    #expect(Misspelling.edits(from: "gte", to: "get") == 1)
    #expect(Misspelling.edits(from: "kitten", to: "sitting") == 3)
  }

  @Test(arguments: [
    ("jsom", "json"), ("quite", "quiet"), ("tops", "top"), ("QUIET", "quiet"), ("quiet-me", nil), ("wyat", nil),
    ("of", nil), ("", nil), (String(repeating: "quiet", count: 20), nil),
  ])
  func `a guess is one edit from a short word, two from a longer one, and the only one`(word: String, guess: String?) {
    #expect(Misspelling.guess(for: word, among: ["json", "quiet", "top", "exit", "wait", "on", "off"]) == guess)
  }

  @Test(arguments: [
    (["get", "--jsom"], "'get' has no option '--jsom' (did you mean '--json'?); see 'p2pnode get --help'"),
    (["get", fileID, "--quite"], "'get' has no option '--quite' (did you mean '--quiet'?); see 'p2pnode get --help'"),
    (["ls", fileID, "--quiet"], "'ls' has no option '--quiet'; see 'p2pnode ls --help'"),
    (
      ["serve", ".", "--nohidden=x"],
      "'serve' has no option '--nohidden' (did you mean '--no-hidden'?); see 'p2pnode serve --help'"
    ),
    (["get", fileID, "--wait"], "--wait has no value: write --wait 10m or --wait forever; see 'p2pnode get --help'"),
    (
      ["get", "--wait", "--quiet", fileID],
      "--wait has no value: write --wait 10m or --wait forever; see 'p2pnode get --help'"
    ),
    (["receive", fileID, "--output="], "--output has no value: write --output PATH; see 'p2pnode receive --help'"),
    (
      ["get", fileID, "--keep-serving=5"],
      "--keep-serving '5' is not a time with its unit, such as 30s, 10m or 2h; see 'p2pnode get --help'"
    ),
    (["get"], "name an ID, or a file of IDs with --input-file; see 'p2pnode get --help'"),
    (["keygen", "a", "b"], "unexpected argument 'b'; see 'p2pnode keygen --help'"),
    (["serve", ".", "--folders", "tops"], "--folders 'tops' is not none, top or all (did you mean 'top'?)"),
    (["serve", ".", "--folders", "fast"], "--folders 'fast' is not none, top or all"),
  ])
  func `an error of usage is one line: what is wrong, the guess, and where to read more`(
    arguments: [String], message: String
  ) throws {
    let child = try workbench.ended(try workbench.start(arguments))
    #expect(child.code == 64 && child.stderr.text == "p2pnode: \(message)\n", "\(child)")
    #expect(child.stdout.bytes.isEmpty, "\(child)")
  }

  @Test func `a value that looks like an option of another form is left alone`() throws {
    let options = KnownOption.all(of: Get.self)
    #expect(UsageFault.option(in: [MisspellingTests.fileID, "--output=--jsom", "-o", "-"], of: options, "get") == nil)
    #expect(UsageFault.option(in: ["--", "--jsom"], of: options, "get") == nil)
  }

  @Test func `the options of a verb are those of its help, with what takes a value`() {
    let options = KnownOption.all(of: Get.self)
    #expect(options.first { $0.names == ["-o", "--output"] }?.value == "PATH")
    #expect(options.first { $0.names == ["--lan", "--no-lan"] }?.value == nil)
    #expect(options.first { $0.names == ["--peer"] }?.value == "[PEERID@]HOST[:PORT]")
    #expect(options.contains { $0.names == ["-h", "--help"] })
  }

  // MARK: Variables

  @Test(arguments: [
    ("P2PNODE_UPLOAD_LIMT", "P2PNODE_UPLOAD_LIMIT"), ("P2PNODE_PEER", "P2PNODE_PEERS"),
    ("P2PNODE_HOEM", "P2PNODE_HOME"),
    ("P2PNODE_UPLOAD_LIMIT", nil), ("P2PNODE_ID", nil), ("P2PNODE_SOMETHING", nil), ("OTHER_PEER", nil),
    ("P2PNODE_PORT", nil), ("P2PNODE_SERVICE_HOST", nil), ("P2PNODE_SERVICE_PORT", nil), ("P2PNODE_PORT_9800_TCP", nil),
    ("P2PNODE_PORT_9800_TCP_ADDR", nil), ("P2PNODE_SERVICE_PORT_WIRE", nil), ("P2PNODE_PEERS_PORT", nil),
  ])
  func `a variable is misspelt if it is near a known one, and not of Kubernetes`(name: String, meant: String?) {
    #expect(MisspeltVariable(name)?.meant == meant)
  }

  @Test func `a misspelt variable is one warning, which --quiet leaves out`() throws {
    func start(_ arguments: String...) throws -> Child {
      try workbench.ended(
        try workbench.start(arguments, through: ["env", "P2PNODE_UPLOAD_LIMT=1M", "P2PNODE_PORT=tcp://10.0.0.1:9800"]))
    }
    let config = try start("config")
    #expect(
      config.stderr.text
        == "warning: the variable P2PNODE_UPLOAD_LIMT has no effect (did you mean P2PNODE_UPLOAD_LIMIT?)\n",
      "\(config)")
    let get = try start("get", MisspellingTests.fileID, "--quiet")
    #expect(get.code == 69 && !get.stderr.text.contains("P2PNODE_UPLOAD"), "\(get)")
  }
}
