// What --help says works when it is pasted, and the completions and the manual are made from the same definitions.
import Foundation
import Testing

struct HelpTests {
  private let workbench = Workbench()
  static let verbs = ["serve", "get", "receive", "ls", "id", "link", "verify", "parts", "keygen", "whoami", "config"]

  /// The examples in a verb's help: the lines that are indented by two and begin with the command.
  private func examples(_ verb: String) throws -> [String] {
    let help = try workbench.run(verb, "--help")
    let text = help.stdout.text.replacingOccurrences(of: "\\\n", with: "")
    let examples = text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("  p2pnode \(verb)") }
    #expect(!examples.isEmpty, "no example: \(help)")
    return examples
  }

  /// What a shell says that a person's would be: the command in PATH, and a folder with an image.
  private func shell(_ script: String, _ home: String = "home") throws -> Child {
    var environment = ProcessInfo.processInfo.environment
    let folder = URL(fileURLWithPath: try Binary.path()).deletingLastPathComponent().path
    environment["PATH"] = folder + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
    environment["P2PNODE_HOME"] = workbench.path(home)
    environment["P2PNODE_LAN"] = "off"
    environment["P2PNODE_PEERS"] = nil
    environment["SWIFT_BACKTRACE"] = "enable=no"
    return try workbench.start("sh", ["-ec", script], environment: environment)
  }

  private func makeImages() throws {
    _ = try workbench.makeFolder("images")
    try workbench.makeFile("images/disk.img", byteCount: 3_000_000)
  }

  @Test(arguments: ["id", "link", "verify", "parts", "keygen", "whoami", "config"])
  func `every example of a verb that ends by itself works when it is pasted`(verb: String) throws {
    try makeImages()
    for example in try examples(verb) {
      let child = try workbench.ended(try shell(example))
      #expect(child.code == 0, "\(example) \(child)")
    }
  }

  @Test func `the examples of serve and of get work when they are pasted together`() throws {
    try makeImages()
    for (i, example) in try examples("serve").enumerated() {
      // Its default port may be in use by others here, which is no error: but a port that was asked for is ours to choose.
      let port = try LocalPort.closed(), metrics = try LocalPort.closed()
      let here = { (text: String) in
        text.replacingOccurrences(of: ":9800", with: ":\(port)").replacingOccurrences(of: ":9464", with: ":\(metrics)")
      }
      let serve = try shell("exec " + here(example).drop { $0 == " " }, "home-\(i)")
      try workbench.line(of: serve, with: "ready: 1 files")
      for get in try examples("get") + examples("ls") {
        // Where another serve runs at the port, that example is a pair with the other one.
        let child = try workbench.ended(try shell(here(get).replacingOccurrences(of: "=10m", with: "=1s"), "home-\(i)"))
        if !example.contains("--listen"), get.contains("--peer") { continue }
        #expect(child.code == 0, "\(get) \(child)")
        try? FileManager.default.removeItem(atPath: workbench.path("copy.img"))
      }
      serve.signal(SIGTERM)
      #expect(try workbench.ended(serve).code == 0, "\(serve)")
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func `completions name every verb`(shell: String) throws {
    let script = try workbench.run("--generate-completion-script", shell)
    #expect(script.code == 0, "\(script)")
    for verb in HelpTests.verbs { #expect(script.stdout.text.contains(verb), "\(verb)") }
    #expect(script.stdout.text.contains("chunk-timeout"))
  }

  @Test func `one command makes completions and manual, and each verb has its page`() throws {
    let command = "\(Binary.packageRoot)/packaging/documents"
    let made = try workbench.ended(
      try workbench.start("env", [command, try Binary.path(), workbench.path("documents")]))
    #expect(made.code == 0, "\(made)")
    let root = workbench.path("documents")
    let pages =
      HelpTests.verbs.filter { $0 != "receive" }.map { "man/man1/p2pnode-\($0).1" } + [
        "man/man1/p2pnode.1", "man/man5/p2pnode.config.5",
      ]
    let shells = [
      "bash-completion/completions/p2pnode", "zsh/vendor-completions/_p2pnode",
      "fish/vendor_completions.d/p2pnode.fish",
    ]
    for file in pages + shells {
      let text = try String(contentsOfFile: "\(root)/\(file)", encoding: .utf8)
      #expect(text.utf8.count > 300, "\(file)")
    }
    let get = try String(contentsOfFile: "\(root)/man/man1/p2pnode-get.1", encoding: .utf8)
    for word in [".TH ", ".SH EXAMPLES", "chunk\\-timeout", "Seconds that a chunk may take"] {
      #expect(get.contains(word), "\(word)")
    }
    let receive = try String(contentsOfFile: "\(root)/man/man1/p2pnode-receive.1", encoding: .utf8)
    #expect(receive == ".so man1/p2pnode-get.1\n")
  }
}
