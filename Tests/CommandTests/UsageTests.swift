// Invalid arguments are refused at once, with the reason and exit code 64; missing files with 66.
import Foundation
import Testing

@testable import p2pnode

struct UsageTests {
  private let workbench = Workbench()
  private static let fileID = String(repeating: "ab", count: 32)

  @Test(arguments: [
    "", "abcd", String(repeating: "a", count: 63), String(repeating: "a", count: 65), String(repeating: "g", count: 64),
    String(repeating: "a", count: 63) + "\n", String(repeating: "a", count: 64) + "\n",
    String(repeating: "é", count: 32), "0x" + String(repeating: "a", count: 62),
  ])
  func `get and verify exit with 64 for a malformed fileID`(fileID: String) throws {
    let get = try workbench.run("get", fileID, "--peer", "127.0.0.1:9")
    #expect(get.code == 64, "\(get)")
    #expect(get.stderr.lines.count == 1, "\(get)")
    #expect(get.stderr.text.contains("64 hexadecimal digits"), "\(get)")
    let verify = try workbench.run("verify", fileID, "/dev/null")
    #expect(verify.code == 64, "\(verify)")
  }

  @Test(arguments: [
    "127.0.0.1:", ":9800", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:98 00", "::1:9800",
    "[::1:9800", "host name:9800", "abcd@127.0.0.1:9800", "@127.0.0.1:9800", "",
  ])
  func `get exits with 64 for a malformed peer and quotes it`(peer: String) throws {
    let get = try workbench.run("get", UsageTests.fileID, "--peer", peer)
    #expect(get.code == 64, "\(get)")
    let isBare = peer == "::1:9800"
    let words = isBare ? ": an IPv6 address needs brackets, such as [::1]" : " is not [PEERID@]HOST[:PORT]"
    #expect(get.stderr.text.contains("--peer '\(peer)'\(words)"), "\(get)")
  }

  @Test func `get exits with 64 for a wait without a unit, and asks for one`() throws {
    let get = try workbench.run("get", UsageTests.fileID, "--wait", "10")
    #expect(get.code == 64 && get.stderr.text.contains("'10' is not a time with its unit, such as 30s"), "\(get)")
  }

  @Test func `a PeerID alone is not a peer, and get asks for its address`() throws {
    let get = try workbench.run("get", UsageTests.fileID, "--peer", UsageTests.fileID)
    #expect(get.code == 64, "\(get)")
    #expect(get.stderr.text.contains("write \(UsageTests.fileID)@HOST"), "\(get)")
  }

  @Test(arguments: [
    ["nonsense"], ["get"], ["serve"], ["verify", "abc"], ["id"], ["keygen"], ["link"], ["get", fileID, "--nonsense"],
    ["get", fileID, fileID, "-o", "-"], ["get", "--input-file", "list", "-o", "-"], ["get", fileID, "--jobs", "0"],
    ["get", fileID, "--jobs", "65"], ["ls"], ["ls", fileID, fileID], ["ls", fileID, "--json", "-l"],
    ["get", fileID, "--workers", "0"], ["get", fileID, "--workers", "many"], ["get", fileID, "--retries", "-1"],
    ["get", fileID, "--wait", "soon"], ["get", fileID, "--download-limit", "10"], ["get", fileID, "--exec", ""],
    ["get", fileID, "--exec", "true", "-o", "-"], ["get", fileID, "--exec", "true", "--dry-run"],
    ["get", fileID, "--chunk-timeout", "0"], ["get", fileID, "--quiet", "--verbose"],
    ["get", fileID, "--cipher", "rot13"], ["get", fileID, "--keep-serving=ever"], ["get", fileID, "--keep-serving=5"],
    ["get", fileID, "--keep-serving", "--no-upload"], ["get", fileID, "--keep-serving", "-o", "-"],
    ["get", fileID, "--upload-limit", "1"], ["get", fileID, "--listen", "nowhere"],
    ["get", fileID, "--peer", "127.0.0.1:9", "-o", "-", "--json"],
    ["serve", ".", "--listen", "nowhere"], ["serve", ".", "--upload-limit", "1"],
    ["serve", ".", "--upload-limit", "fast"],
    ["serve", ".", "--max-connections", "0"],
  ])
  func `wrong usage exits with 64, and stdout stays empty`(arguments: [String]) throws {
    let child = try workbench.ended(try workbench.start(arguments))
    #expect(child.code == 64, "\(child)")
    #expect(!child.stderr.bytes.isEmpty, "\(child)")
    if arguments.contains("--json") {
      try expectFailedEvent(child)
    } else {
      #expect(child.stdout.bytes.isEmpty, "\(child)")
    }
  }

  @Test(arguments: [
    ["--json", "nonsense"], ["get", "--json"], ["get", fileID, "--nonsense", "--json"], ["get", "abcd", "--json"],
    ["serve", ".", "--json", "--upload-limit", "fast"], ["id", "--json"],
  ])
  func `with --json wrong usage is also an event`(arguments: [String]) throws {
    try expectFailedEvent(try workbench.ended(try workbench.start(arguments)))
  }

  private func expectFailedEvent(_ child: Child) throws {
    let events = try JSONLines.objects(child.stdout)
    #expect(events.count == 1 && events[0]["event"] as? String == "failed", "\(child)")
    #expect(events.first?["code"] as? Int == 64 && child.code == 64, "\(child)")
    let message = try #require(events.first?["message"] as? String)
    #expect(!message.isEmpty && child.stderr.text.contains(message), "\(child)")
  }

  @Test(arguments: [
    ["id", "-h.bin"], ["id", "-dash.bin"], ["get", fileID, "-o", "-x"], ["get", fileID, "--output", "-h"],
    ["get", fileID, "-o", ""], ["verify", fileID, "-l.txt"],
  ])
  func `a name that begins with a hyphen is not parsed as options`(arguments: [String]) throws {
    let child = try workbench.ended(try workbench.start(arguments))
    #expect(child.code == 64 && child.stdout.bytes.isEmpty, "\(child)")
    let word = arguments.last { $0.hasPrefix("-") && $0 != "-o" }
    #expect(child.stderr.text.contains(word.map { "./\($0)" } ?? "-o has no path"), "\(child)")
  }

  @Test func `get reports a space instead of a tab in an input file`() throws {
    let list = try workbench.makeFile("list", Array("\(UsageTests.fileID) out.bin\n".utf8))
    let get = try workbench.run("get", "--input-file", list, "--peer", "127.0.0.1:9")
    #expect(get.code == 64 && get.stderr.text.contains("list:1: has a space after the ID; put a tab"), "\(get)")
  }

  @Test func `after two hyphens all words are names`() throws {
    try workbench.makeFile("-h.bin", byteCount: 3)
    let id = try workbench.run("id", "--", "-h.bin")
    #expect(id.code == 0 && id.stdout.text.hasSuffix("  -h.bin\n"), "\(id)")
    #expect(try workbench.run("id", "./-h.bin").stdout.text.hasPrefix(id.stdout.text.prefix(64)))
  }

  @Test func `help and version exit with 0`() throws {
    for arguments in [["--help"], ["help", "get"], ["serve", "--help"], ["--version"]] {
      let child = try workbench.ended(try workbench.start(arguments))
      #expect(child.code == 0, "\(child)")
      #expect(!child.stdout.bytes.isEmpty, "\(child)")
    }
  }

  @Test func `the version names the program and the commit, if the build named one`() throws {
    let version = try workbench.run("--version")
    #expect(version.code == 0 && version.stdout.text == Version.line() + "\n", "\(version)")
    #expect(Version.line(commit: "") == "p2pnode \(Version.number)")
    #expect(Version.line(commit: "0123456789ab") == "p2pnode \(Version.number) (0123456789ab)")
  }

  @Test func `a get without any peer exits with 69`() throws {
    let get = try workbench.run("get", UsageTests.fileID)
    #expect(get.code == 69, "\(get)")
    #expect(get.stderr.text.contains("--peer HOST:PORT"), "\(get)")
  }

  @Test func `id and verify exit with 66 for a missing file`() throws {
    let id = try workbench.run("id", "missing")
    #expect(id.code == 66, "\(id)")
    #expect(id.stderr.text.hasPrefix("p2pnode: cannot read missing: No such file or directory"), "\(id)")
    let verify = try workbench.run("verify", UsageTests.fileID, "missing")
    #expect(verify.code == 66, "\(verify)")
  }

  @Test func `get and serve exit with 66 for a missing swarm key file`() throws {
    let get = try workbench.run("get", UsageTests.fileID, "--peer", "127.0.0.1:9", "--swarm-key", "missing.key")
    #expect(get.code == 66, "\(get)")
    #expect(get.stderr.text.contains("missing.key: no such secret file"), "\(get)")
    let serve = try workbench.run("serve", ".", "--listen", "127.0.0.1:0", "--swarm-key", "missing.key")
    #expect(serve.code == 66, "\(serve)")
  }

  @Test(arguments: [0o644, 0o640, 0o604, 0o620])
  func `a secret that others may read exits with 66, and the remedy is named`(mode: mode_t) throws {
    let key = try workbench.makeFile("open.key", Array(repeating: 7, count: 32), mode: mode)
    // A secret of root may be readable by its group, so give this one another owner.
    if geteuid() == 0 { chown(key, 9800, 9800) }
    for option in ["--swarm-key", "--identity"] {
      let get = try workbench.run("get", UsageTests.fileID, "--peer", "127.0.0.1:9", option, key)
      #expect(get.code == 66, "\(get)")
      #expect(get.stderr.text.contains("chmod 600"), "\(get)")
      let serve = try workbench.run("serve", ".", "--listen", "127.0.0.1:0", option, key)
      #expect(serve.code == 66, "\(serve)")
    }
  }

  @Test(arguments: [0, 31, 33, 65])
  func `a secret of another size exits with 66`(byteCount: Int) throws {
    let key = try workbench.makeFile("bad.key", Array(repeating: 0x37, count: byteCount), mode: 0o600)
    for option in ["--swarm-key", "--identity"] {
      let get = try workbench.run("get", UsageTests.fileID, "--peer", "127.0.0.1:9", option, key)
      #expect(get.code == 66, "\(get)")
      #expect(get.stderr.text.contains("holds \(byteCount) bytes"), "\(get)")
      let serve = try workbench.run("serve", ".", "--listen", "127.0.0.1:0", option, key)
      #expect(serve.code == 66, "\(serve)")
    }
  }

  @Test func `a folder as a key exits with 66`() throws {
    let folder = try workbench.makeFolder("folder.key")
    for option in ["--swarm-key", "--identity"] {
      let get = try workbench.run("get", UsageTests.fileID, "--peer", "127.0.0.1:9", option, folder)
      #expect(get.code == 66, "\(get)")
      #expect(get.stderr.text.contains("is not a regular file"), "\(get)")
    }
  }

  @Test(.enabled(if: Privileges.canMount), arguments: [("size=4k", 74, "make room"), ("ro", 73, "name another file")])
  func `each verb exits with the same code if a key cannot be made`(
    options: String, code: Int32, advice: String
  ) throws {
    let folder = try workbench.makeFolder("disk")
    // The root of a tmpfs uses no page. `fill` uses the only page.
    let fill = options == "ro" ? "true" : #"head -c 4096 /dev/zero >"$0/fill""#
    let mount = Privileges.mounting(options, on: folder)
    for arguments in [["keygen", folder + "/key"], ["whoami", "--create", "--identity", folder + "/key"]] {
      let child = try workbench.ended(
        try workbench.start(arguments, through: mount + ["sh", "-c", #"\#(fill); exec "$@""#, folder]))
      #expect(child.code == code && child.stderr.text.contains(advice), "\(child)")
    }
  }

  @Test func `keygen makes a key for its owner alone and never overwrites a file`() throws {
    let first = try workbench.run("keygen", "swarm.key")
    #expect(first.code == 0, "\(first)")
    let attributes = try FileManager.default.attributesOfItem(atPath: workbench.path("swarm.key"))
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    #expect(attributes[.size] as? Int == 32)
    let key = FileManager.default.contents(atPath: workbench.path("swarm.key"))
    let second = try workbench.run("keygen", "swarm.key")
    #expect(second.code == 73, "\(second)")
    #expect(FileManager.default.contents(atPath: workbench.path("swarm.key")) == key)
  }
}
