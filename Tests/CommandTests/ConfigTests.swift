// The configuration file with the real program: `config`, the keys that serve and get use, SIGHUP.
import Foundation
import Testing

struct ConfigTests {
  private let workbench = Workbench()

  private func write(_ text: String, home: String = "own") throws {
    let folder = try workbench.makeFolder("\(home)/config")
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/config"))
  }

  /// Starts the command with the configuration folder into which `write` writes.
  private func start(_ arguments: [String], _ variables: String...) throws -> Child {
    try workbench.start(arguments, through: ["env", "P2PNODE_HOME=\(workbench.path("own"))"] + variables)
  }

  @Test func `config prints every key with value and origin, and its output is a valid configuration file`() throws {
    try write("workers = 2\nretries = 5\n")
    let config = try workbench.ended(try start(["config"], "P2PNODE_RETRIES=6"))
    #expect(config.code == 0, "\(config)")
    let file = workbench.path("own/config/config")
    for (line, origin) in [
      ("workers = 2", "\(file):1"), ("retries = 6", "P2PNODE_RETRIES"), ("lan = machine", "P2PNODE_LAN"),
      ("cipher = auto", "default"),
    ] {
      #expect(config.stdout.lines.contains { $0.hasPrefix(line + " ") && $0.hasSuffix(" # \(origin)") }, "\(config)")
    }
    try write(config.stdout.text)
    let again = try workbench.ended(try start(["config"], "P2PNODE_LAN="))
    #expect(again.code == 0, "\(again)")
    #expect(again.stdout.lines.contains { $0.hasPrefix("retries = 6 ") && $0.contains("# \(file):") }, "\(again)")
  }

  @Test func `the page of config --default is a valid file and sets every key to its default`() throws {
    let page = try workbench.run("config", "--default")
    #expect(page.code == 0, "\(page)")
    #expect(page.stdout.lines.allSatisfy { $0.isEmpty || $0.hasPrefix("#") }, "\(page)")
    #expect(page.stdout.lines.count < 90, "one page")
    let uncommented = page.stdout.lines.map { $0.contains(" = ") && !$0.hasPrefix("# ") ? String($0.dropFirst()) : $0 }
    try write(uncommented.joined(separator: "\n"))
    let config = try workbench.ended(try start(["config", "--json"], "P2PNODE_LAN="))
    #expect(config.code == 0, "\(config)")
    for line in config.stdout.lines {
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
      #expect(object?["event"] == "setting" && object?["key"] != nil && object?["value"] != nil, "\(line)")
      #expect(object?["from"]?.hasPrefix(workbench.path("own/config/config:")) == true, "\(line)")
    }
  }

  @Test(arguments: [["config"], ["whoami"], ["serve", "."], ["get", String(repeating: "ab", count: 32)]])
  func `a mistake in the file ends each verb with 64 and its line`(arguments: [String]) throws {
    try write("\nworkerz = 2\n")
    let child = try workbench.ended(try start(arguments))
    #expect(child.code == 64, "\(child)")
    #expect(child.stderr.text.contains("/own/config/config:2: there is no key 'workerz'"), "\(child)")
    #expect(child.stdout.bytes.isEmpty, "\(child)")
  }

  @Test func `config reads the file that --config names, and no file for --config /dev/null`() throws {
    try write("workers = none of your business\n")
    let path = try workbench.makeFile("mine", Array("workers = 5\n".utf8))
    let mine = try workbench.ended(try start(["config", "--config", path]))
    #expect(mine.stdout.text.contains("workers = 5"), "\(mine)")
    let none = try workbench.ended(try start(["config", "--config", "/dev/null"]))
    #expect(none.stdout.text.contains("workers = 8"), "\(none)")
    let missing = try workbench.ended(try start(["config", "--config", "missing"]))
    #expect(missing.code == 66, "\(missing)")
  }

  @Test func `serve and get use the settings of the file`() throws {
    try write("identity = mine.key\nlisten = 127.0.0.1:0\nallow = \(String(repeating: "ab", count: 32))\n")
    let folder = try workbench.makeFolder("files")
    try workbench.makeFile("files/data.bin", byteCount: 1_000)
    let serve = try start(["serve", folder])
    try workbench.line(of: serve, with: "ready: 1 file,")
    #expect(FileManager.default.fileExists(atPath: workbench.path("own/config/mine.key")))
    let whoami = try workbench.ended(try start(["whoami"]))
    let listening = try workbench.line(of: serve, with: "listening on 127.0.0.1:")
    #expect(listening.hasSuffix(" as " + whoami.stdout.lines[0]), "\(serve) \(whoami)")
    let address = try #require(listening.firstMatch(of: #/127\.0\.0\.1:\d+/#)).0
    let fileID = String(serve.stdout.lines[0].prefix(64))
    // The identity file is in use. A get reports that and takes another identity, which is not an allowed peer.
    let get = try workbench.ended(try start(["get", fileID, "--peer", String(address)]))
    #expect(get.code == 77, "\(get)")
    #expect(get.stderr.text.contains("another process is using it"), "\(get)")
  }

  @Test func `a quiet get prints nothing when it reloads its settings`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 3 << 20, "--upload-limit", "1Mi")
    let get = try workbench.start(["get", fileID, "--peer", served.address, "-o", "out", "--quiet", "--json"])
    try workbench.line(of: get, on: .stdout, with: "\"chunk\"")
    get.signal(SIGHUP)
    #expect(try workbench.ended(get).code == 0 && get.stderr.bytes.isEmpty, "\(get)")
  }

  @Test func `on SIGHUP serve takes over limits, allowed peers and log level, and reports them`() throws {
    try write("log-level = info\n")
    let folder = try workbench.makeFolder("files")
    let path = try workbench.makeFile("files/data.bin", byteCount: 1_000)
    let serve = try start(["serve", folder, "--listen", "127.0.0.1:0"])
    let listening = try workbench.line(of: serve, with: "listening on")
    try workbench.line(of: serve, with: "ready:")
    let address = try #require(listening.firstMatch(of: #/127\.0\.0\.1:\d+/#)).0
    let fileID = String(serve.stdout.lines[0].prefix(64))
    func get(_ name: String) throws -> Child {
      try workbench.run("get", fileID, "--peer", String(address), "-o", name)
    }
    #expect(try get("one").code == 0)
    #expect(!serve.stderr.text.contains("opens data.bin"), "not at this level: \(serve)")

    try write("log-level = debug\nupload-limit = 3M\nmax-connections = 7\ncipher = chacha\n")
    serve.signal(SIGHUP)
    try workbench.line(of: serve, with: "reloaded: upload-limit: none is now 3M")
    try workbench.line(of: serve, with: "reloaded: max-connections: auto is now 7")
    try workbench.line(of: serve, with: "not reloaded: cipher: auto is now chacha")
    try workbench.line(of: serve, with: "reloaded: log-level: info is now debug")
    #expect(try get("two").code == 0)
    try workbench.line(of: serve, with: "opens data.bin")
    #expect(TestFile.areEqual(path, workbench.path("two")))

    try write("allow = \(String(repeating: "ab", count: 32))\n")
    serve.signal(SIGHUP)
    try workbench.line(of: serve, with: "reloaded: allow: all is now abab")
    #expect(try get("three").code == 77)

    try write("allow = nobody\n")
    serve.signal(SIGHUP)
    let bad = try workbench.line(of: serve, with: "the settings stay as they were")
    #expect(bad.contains("config:1: allow 'nobody' is not a PeerID"), "\(bad)")
    #expect(try get("four").code == 77)

    serve.signal(SIGTERM)
    #expect(try workbench.ended(serve).code == 0, "\(serve)")
  }

  @Test func `SIGHUP reports that another swarm key needs a restart, and config fails if a key is missing`() throws {
    for name in ["one.key", "other.key"] { #expect(try workbench.run("keygen", name).code == 0) }
    try write("swarm-key = swarm.key\n")
    let key = workbench.path("own/config/swarm.key")
    rename(workbench.path("one.key"), key)
    let serve = try start(["serve", try workbench.makeFolder("files"), "--listen", "127.0.0.1:0"])
    try workbench.line(of: serve, with: "ready:")
    #expect(try workbench.ended(try start(["config"])).code == 0)

    rename(workbench.path("other.key"), key)
    serve.signal(SIGHUP)
    try workbench.line(
      of: serve, with: "not reloaded: swarm-key: \(key) has another key now: restart serve to apply it")
    #expect(!serve.stderr.text.contains("nothing changed"), "\(serve)")

    unlink(key)
    serve.signal(SIGHUP)
    let bad = try workbench.line(of: serve, with: "the settings stay as they were")
    #expect(bad.contains("\(key): no such secret file"), "\(bad)")
    let config = try workbench.ended(try start(["config"]))
    #expect(config.code == 66 && config.stderr.text.contains("\(key): no such secret file"), "\(config)")
    #expect(config.stdout.text.contains("swarm-key = \(key)"), "the settings are printed nevertheless: \(config)")
  }

  @Test(arguments: ["upload-limit", "upload-limit-per-peer"])
  func `on SIGHUP a raised limit applies at once, and peers that are no longer allowed are disconnected`(
    limit: String
  ) throws {
    try write("\(limit) = 1K\n")
    let folder = try workbench.makeFolder("files")
    let path = try workbench.makeFile("files/data.bin", byteCount: 2 << 20)
    let serve = try start(["serve", folder, "--listen", "127.0.0.1:0", "--verbose"])
    let listening = try workbench.line(of: serve, with: "listening on")
    try workbench.line(of: serve, with: "ready:")
    let address = String(try #require(listening.firstMatch(of: #/127\.0\.0\.1:\d+/#)).0)
    let fileID = String(serve.stdout.lines[0].prefix(64))
    // At that rate the file takes half an hour.
    let slow = try workbench.start(["get", fileID, "--peer", address, "-o", "slow", "--chunk-timeout", "3600"])
    try workbench.line(of: serve, with: "opens data.bin")
    try write("\(limit) = none\n")
    serve.signal(SIGHUP)
    #expect(try workbench.ended(slow).code == 0, "\(slow)")
    #expect(TestFile.areEqual(path, workbench.path("slow")))

    try write("\(limit) = 1K\n")
    serve.signal(SIGHUP)
    try workbench.line(of: serve, with: "reloaded: \(limit): none is now 1K")
    let banned = try workbench.start(["get", fileID, "--peer", address, "-o", "banned", "--retries", "0"])
    try workbench.wait(for: "a second opening") { serve.stderr.lines.count { $0.contains("opens data.bin") } == 2 }
    try write("allow = \(String(repeating: "ab", count: 32))\n")
    serve.signal(SIGHUP)
    try workbench.line(of: serve, with: "closed by us: not allowed")
    #expect(try workbench.ended(banned).code != 0, "\(banned)")
  }

  @Test func `on SIGHUP get takes over its limits`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 2 << 20)
    try write("download-limit = 1K\n")
    // At that rate the file takes half an hour.
    let get = try start(["get", fileID, "--peer", served.address, "-o", "out.bin", "--listen", "127.0.0.1:0"])
    try workbench.line(of: served.child, with: "ready:")
    try workbench.line(of: get, with: "Starting parallel download")
    try write("download-limit = fast\n")
    get.signal(SIGHUP)
    let bad = try workbench.line(of: get, with: "the settings stay as they were")
    #expect(bad.contains("config:1: download-limit 'fast' is not a rate"), "\(bad)")
    #expect(get.code == nil)
    try write("download-limit = none\nupload-limit = 5M\n")
    get.signal(SIGHUP)
    try workbench.line(of: get, with: "reloaded: download-limit: 1K is now none")
    try workbench.line(of: get, with: "reloaded: upload-limit: none is now 5M")
    #expect(try workbench.ended(get).code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }
}
