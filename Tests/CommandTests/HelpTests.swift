// The examples in --help work when they are pasted. Completions and the manual are made from the same definitions.
import Foundation
import Testing

struct HelpTests {
  private let workbench = Workbench()
  /// The IDs in the examples.
  private static let fileID = "3d5f9cb1a7e2406b8c94d1f07b6a2e53c8094bf1e6d27a35908c4e1bd2f76a80"
  private static let folderID = "a90b4c7de1f2385c6b70d94e8f13a2c5570e9bd4863f1ac2e75d40b98c6f1e27"
  static let verbs = [
    "serve", "send", "get", "receive", "ls", "id", "link", "verify", "parts", "keygen", "whoami", "config",
  ]

  /// Returns the examples in a command's help: the lines that are indented by two and begin with the command.
  private func examples(_ verb: String) throws -> [String] {
    let help = try workbench.run(verb, "--help")
    var text = help.stdout.text.replacingOccurrences(of: "\\\n", with: "")
    // The IDs in the examples are invented. The files here have others.
    for (id, path) in [(HelpTests.fileID, "images/disk.img"), (HelpTests.folderID, "images")] {
      text = text.replacingOccurrences(of: id, with: "$(p2pnode id \(path) | cut -c 1-64)")
    }
    var (id, examples) = ("", [String]())
    for line in text.split(separator: "\n").map({ $0.drop { $0 == " " } }) {
      if line.hasPrefix("ID=") { id = "\(line); " }
      if line.hasPrefix("p2pnode \(verb) ") { examples.append(id + line) }
    }
    #expect(!examples.isEmpty, "no example: \(help)")
    return examples
  }

  /// Runs a script in a shell with the command in PATH and a folder with an image.
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
  func `every example of a verb that ends by itself works as it is printed`(verb: String) throws {
    try makeImages()
    for example in try examples(verb) {
      let child = try workbench.ended(try shell(example))
      #expect(child.code == 0, "\(example) \(child)")
    }
  }

  @Test func `the examples of serve and get work together as they are printed`() throws {
    try makeImages()
    for (i, example) in try examples("serve").enumerated() {
      // Other programs may use the default port, so each named port becomes a free one.
      let port = try LocalPort.closed(), metrics = try LocalPort.closed()
      let here = { (text: String) in
        text.replacingOccurrences(of: ":9800", with: ":\(port)").replacingOccurrences(of: ":9464", with: ":\(metrics)")
      }
      let serve = try shell("exec " + here(example).drop { $0 == " " }, "home-\(i)")
      try workbench.line(of: serve, with: "ready: 1 file,")
      for get in try examples("get") + examples("ls") {
        // A get with --peer fits only the serve example that names its port.
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
    for word in [".TH ", ".SH EXAMPLES", "chunk\\-timeout", "Time limit for one chunk"] {
      #expect(get.contains(word), "\(word)")
    }
    for word in [".SH ENVIRONMENT", "P2PNODE_HOME", ".SH FILES", "identity"] { #expect(get.contains(word), "\(word)") }
    try check(completionsIn: root)
    let receive = try String(contentsOfFile: "\(root)/man/man1/p2pnode-receive.1", encoding: .utf8)
    #expect(receive == ".so man1/p2pnode-get.1\n")
  }

  /// Checks what the installed shells complete.
  private func check(completionsIn root: String) throws {
    func bash(_ words: String...) throws -> [String] {
      let script = """
        source '\(root)/bash-completion/completions/p2pnode'
        COMP_WORDS=(\(words.joined(separator: " "))); COMP_CWORD=\(words.count - 1)
        _p2pnode p2pnode "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        if [[ ${#COMPREPLY[@]} -gt 0 ]]; then printf '%s\\n' "${COMPREPLY[@]}"; fi
        """
      return try workbench.ended(try workbench.start("bash", ["-c", script])).stdout.lines
    }
    #expect(try bash("p2pnode", "help", "ver") == ["verify"])
    #expect(try bash("p2pnode", "serve", "--cipher", "=", "a") == ["auto", "aes"])
    #expect(try bash("p2pnode", "serve", "--cipher", "=") == ["auto", "aes", "chacha"])
    #expect(try bash("p2pnode", "serve", "--cipher", "a") == ["auto", "aes"])
    let spaced = try bash("p2pnode", "serve", "--cipher", "aes", "--li")
    #expect(try bash("p2pnode", "serve", "--cipher", "=", "aes", "--li") == spaced && spaced.contains("--listen"))
    let zsh = try String(contentsOfFile: "\(root)/zsh/vendor-completions/_p2pnode", encoding: .utf8)
    #expect(zsh.contains("'--cipher=[") && zsh.contains("'--json[") && zsh.contains("':verb:(serve "))
    if FileManager.default.isExecutableFile(atPath: "/usr/bin/fish") {
      let script = "source '\(root)/fish/vendor_completions.d/p2pnode.fish'; complete -C 'p2pnode help ver'"
      #expect(try workbench.ended(try workbench.start("fish", ["-c", script])).stdout.text.contains("verify"))
    }
  }
}
