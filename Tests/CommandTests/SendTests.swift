// `send` offers exactly the given paths, prints a command line that fetches them, and ends when they are fetched.
import Content
import Foundation
import TestSupport
import Testing
import Wire

@testable import p2pnode

struct SendTests {
  private let workbench = Workbench()

  /// Starts a `send` that listens on this machine only. Returns when it has printed the line.
  private func send(_ arguments: String...) throws -> (child: Child, line: String) {
    let child = try workbench.start(["send"] + arguments + ["--listen", "127.0.0.1:0"])
    let line = try workbench.line(of: child, on: .stdout, with: "p2pnode get p2pnode:")
    return (child, line)
  }

  /// Runs the printed line in a folder, as a shell would.
  private func paste(_ line: String, _ options: String..., in folder: String) throws -> Child {
    #expect(line.hasPrefix("p2pnode "))
    let words = line.dropFirst("p2pnode ".count).split(separator: " ").map(String.init)
    return try workbench.ended(try workbench.start(words + options, in: folder))
  }

  @Test func `a peer with the link cannot fill the log`() throws {
    _ = try workbench.makeFile("data.bin", [1])
    let (child, line) = try send("data.bin")
    for i in 0..<33 {
      let get = try paste(line, "-o", "copy\(i)", "--no-upload", "--quiet", in: workbench.folder)
      #expect(get.code == 0, "\(get)")
    }
    child.signal(SIGTERM)
    try workbench.ended(child)
    let lines = child.stderr.lines
    let told = lines.count { $0.contains(" fetches data.bin") || $0.contains("] has data.bin") }
    // On a busy machine the test may take more than a minute. Then more lines are printed.
    var leftOut = 0
    for line in lines {
      if let match = line.wholeMatch(of: #/(\d+) more lines about fetches were left out/#) { leftOut += Int(match.1)! }
    }
    #expect(told < 66 && leftOut == 66 - told, "\(child)")
  }

  @Test func `the printed command fetches the file, and send --count exits with 0 after the last fetch`() throws {
    let path = try workbench.makeFile("a name & more.bin", byteCount: 3_000_000)
    let (child, line) = try send("a name & more.bin", "--count", "2")
    #expect(child.stdout.lines == [line], "\(child)")
    for folder in ["one", "two"] {
      let output = try workbench.makeFolder(folder)
      let get = try paste(line, in: output)
      #expect(get.code == 0, "\(get)")
      #expect(TestFile.areEqual(path, output + "/a name & more.bin"))
    }
    try workbench.ended(child)
    #expect(child.code == 0, "\(child)")
    #expect(child.stderr.lines.count { $0.contains("] has a name & more.bin (2.9 MiB in ") } == 2, "\(child)")
    #expect(child.stderr.lines.count { $0.contains(" fetches a name & more.bin") } == 2, "\(child)")
  }

  @Test func `files and folders share one command, and a peer counts when it has all of them`() throws {
    let folder = try workbench.makeFolder("images")
    try workbench.makeFile("images/disk.img", byteCount: 2_000_000)
    try workbench.makeFile("note.txt", byteCount: 100, seed: 2)
    try workbench.makeFile("empty", byteCount: 0)
    let (child, line) = try send(folder, "note.txt", "empty", "--count", "1")
    #expect(line.split(separator: " ").count == 5, "\(line)")
    let output = try workbench.makeFolder("output")
    let one = try paste(
      "p2pnode get " + line.split(separator: " ")[3], in: try workbench.makeFolder("other"))
    #expect(one.code == 0, "\(one)")
    let all = try paste(line, in: output)
    #expect(all.code == 0, "\(all)")
    #expect(TestFile.areEqual(folder + "/disk.img", output + "/images/disk.img"))
    #expect(TestFile.areEqual(workbench.path("note.txt"), output + "/note.txt"))
    #expect(FileManager.default.fileExists(atPath: output + "/empty"))
    try workbench.ended(child)
    #expect(child.code == 0, "\(child)")
  }

  @Test func `send offers only the named file, also a hidden one, and nothing beside it`() throws {
    let folder = try workbench.makeFolder("folder")
    let path = try workbench.makeFile("folder/.hidden", byteCount: 1_000)
    try workbench.makeFile("folder/beside", byteCount: 2_000, seed: 2)
    let beside = try #require(
      try workbench.run("id", "folder/beside").stdout.lines.first?.split(separator: " ").first)
    let above = try #require(
      try workbench.run("id", "--hidden", "folder").stdout.lines.first?.split(separator: " ").first)
    let (child, line) = try send(folder + "/.hidden")
    let peer = try #require(line.components(separatedBy: "/peer=").last)
    for id in [beside, above] {
      let get = try workbench.run("get", String(id), "--peer", peer)
      #expect(get.code == 69, "\(get)")
    }
    let output = try workbench.makeFolder("output")
    let get = try paste(line, "-o", "copy", in: output)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, output + "/copy"))
    child.signal(SIGINT)
    #expect(try workbench.ended(child).code == 0, "\(child)")
  }

  @Test func `a symbolic link is sent as the file that it leads to, under its own name`() throws {
    let path = try workbench.makeFile("v3.img", byteCount: 5_000)
    try FileManager.default.createSymbolicLink(
      atPath: workbench.path("latest.img"), withDestinationPath: "v3.img")
    let (_, line) = try send("latest.img")
    let output = try workbench.makeFolder("output")
    let get = try paste(line, in: output)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, output + "/latest.img"))
  }

  @Test func `send reuses the hashes of an earlier send, also after it sent other files of the folder`() throws {
    try workbench.makeFile("one", byteCount: 1_000)
    try workbench.makeFile("two", byteCount: 1_000, seed: 2)
    let home = try workbench.makeFolder("home")
    // While a file is new, its times do not show whether it changes again.
    for name in ["one", "two"] {
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -3_600)], ofItemAtPath: workbench.path(name))
    }
    var rows: [Int] = []
    for name in ["one", "two", "one"] {
      var environment = ProcessInfo.processInfo.environment
      environment["P2PNODE_HOME"] = home
      environment["P2PNODE_LAN"] = "off"
      environment["SWIFT_BACKTRACE"] = "enable=no"
      let child = try workbench.start(
        try Binary.path(), ["send", name, "--listen", "127.0.0.1:0"], environment: environment)
      try workbench.line(of: child, on: .stdout, with: "p2pnode get p2pnode:")
      child.signal(SIGTERM)
      #expect(try workbench.ended(child).code == 0, "\(child)")
      let folder = home + "/state"
      let database = try #require(
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".sqlite") }.first)
      let count = try workbench.ended(
        try workbench.start(
          "python3",
          [
            "-c",
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM file').fetchone()[0])",
            folder + "/" + database,
          ]))
      rows.append(Int(count.stdout.lines.first ?? "") ?? -1)
    }
    #expect(rows == [1, 2, 2])
  }

  @Test func `hidden entries that stay here are counted and named, with the option that sends them`() throws {
    _ = try workbench.makeFolder("model")
    _ = try workbench.makeFolder("model/sub")
    for name in ["model/.env", "model/.git", "model/data.bin", "model/sub/.cache", "model/sub/.z"] {
      try workbench.makeFile(name, byteCount: 10)
    }
    let (child, _) = try send("model")
    try workbench.line(of: child, with: "ready: model/")
    let line = "left out of model/: 4 hidden; hidden: .env, .git, sub/.cache, 1 more; --hidden sends them too"
    #expect(child.stderr.lines.contains(line), "\(child)")
    let (all, _) = try send("model", "--hidden")
    try workbench.line(of: all, with: "ready: model/")
    #expect(!all.stderr.text.contains("left out"), "\(all)")
  }

  @Test func `send names the option for links that leave the folder`() throws {
    _ = try workbench.makeFolder("model")
    try workbench.makeFile("blob", byteCount: 10)
    try FileManager.default.createSymbolicLink(
      atPath: workbench.path("model/data.bin"), withDestinationPath: "../blob")
    let (child, _) = try send("model")
    try workbench.line(of: child, with: "ready: model/")
    let line =
      "left out of model/: 1 link that leaves the folder; --follow-links sends the files that the links name"
    #expect(child.stderr.lines.contains(line), "\(child)")
    let (all, _) = try send("model", "--follow-links")
    try workbench.line(of: all, with: "ready: model/, 10 B")
    #expect(!all.stderr.text.contains("left out"), "\(all)")
  }

  @Test(arguments: [
    (["missing"], 66, "cannot read missing: no such file or directory"), (["/dev/null"], 66, "neither a folder nor"),
    (["-"], 64, "not standard input"), ([], 64, "name at least one file or folder"),
    (["one", "--count", "0"], 64, "1 or more"), (["one/"], 66, "one/: is neither a folder nor"),
  ])
  func `send refuses a path that it cannot offer at once`(arguments: [String], code: Int32, words: String) throws {
    try workbench.makeFile("one", byteCount: 1)
    let child = try workbench.ended(try workbench.start(["send"] + arguments))
    #expect(child.code == code, "\(child)")
    #expect(child.stderr.text.contains(words), "\(child)")
    #expect(child.stdout.bytes.isEmpty, "\(child)")
  }

  @Test(.enabled(if: Privileges.canObeyPermissions))
  func `send refuses an unreadable file before it listens`() throws {
    chmod(try workbench.makeFile("locked", byteCount: 1), 0)
    let child = try workbench.run("send", "locked", "--listen", "127.0.0.1:0", through: Privileges.obeyPermissions)
    #expect(child.code == 66, "\(child)")
    let line = "p2pnode: cannot read locked: permission denied; check the path, and that this user may read it"
    #expect(child.stderr.lines == [line], "\(child)")
  }

  @Test func `the events of send match their page and contain the command`() throws {
    let table = try EventTable()
    try workbench.makeFile("data.bin", byteCount: 8 << 20)
    let child = try workbench.start([
      "send", "data.bin", "--json", "--listen", "127.0.0.1:0", "--count", "1", "--upload-limit", "4Mi",
    ])
    let ready = try workbench.line(of: child, on: .stdout, with: #""event":"ready""#)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(ready.utf8)) as? [String: Any])
    let get = try paste(try #require(object["command"] as? String), in: try workbench.makeFolder("output"))
    #expect(get.code == 0, "\(get)")
    try workbench.ended(child)
    let objects = try JSONLines.objects(child.stdout)
    for object in objects { #expect(table.difference(of: object) == nil, "\(object)") }
    let events = objects.compactMap { $0["event"] as? String }
    for event in ["listening", "file", "ready", "fetching", "sending", "fetched", "stopped"] {
      #expect(events.contains(event), "\(event) is not in \(events)")
    }
    let fetched = try #require(objects.first { $0["event"] as? String == "fetched" })
    #expect(fetched["bytes"] as? Int == 8 << 20 && fetched["fetches"] as? Int == 1, "\(fetched)")
  }

  @Test func `an interrupted peer does not count`() throws {
    try workbench.makeFile("data.bin", byteCount: 16 << 20)
    let (child, line) = try send("data.bin", "--count", "1", "--upload-limit", "2Mi")
    let get = try workbench.start(
      line.split(separator: " ").dropFirst().map(String.init), in: try workbench.makeFolder("output"))
    try workbench.line(of: get, with: "Chunk 1/16")
    get.signal(SIGINT)
    #expect(try workbench.ended(get).code == 130, "\(get)")
    try workbench.line(of: child, with: "] left after ")
    #expect(child.code == nil, "\(child)")
    child.signal(SIGTERM)
    #expect(try workbench.ended(child).code == 0, "\(child)")
  }

  @Test func `two sends at a time use different ports, and their commands name them`() throws {
    try workbench.makeFile("one", byteCount: 1)
    let children = try (0..<2).map { _ in try workbench.start(["send", "one"]) }
    let lines = try children.map { child in try workbench.line(of: child, on: .stdout, with: "p2pnode get p2pnode:") }
    let ports = lines.compactMap { $0.split(separator: ":").last }
    #expect(ports.count == 2 && ports[0] != ports[1], "\(lines)")
  }
}

struct SentCountTests {
  private func digest(_ number: UInt64) -> Digest {
    let hex = String(number, radix: 16)
    return Digest(hex: String(repeating: "0", count: 64 - hex.count) + hex)!
  }

  @Test func `peers that fetch a part and never return are forgotten`() {
    let (one, two) = (FileID(digest: digest(1)), FileID(digest: digest(2)))
    var count = SentCount([one, two])
    for i in 0..<UInt64(2 * SentCount.peersMax) {
      count.complete(one, by: PeerID(digest: digest(i)))
    }
    #expect(count.unfinishedCount == SentCount.peersMax && count.count == 0)
  }

  @Test func `a peer counts when it has everything, and again after fetching everything again`() {
    func digest(_ byte: UInt8) -> Digest { Digest(Array(repeating: byte, count: 32))! }
    let (one, two) = (FileID(digest: digest(1)), FileID(digest: digest(2)))
    let (a, b) = (PeerID(digest: digest(3)), PeerID(digest: digest(4)))
    var count = SentCount([one, two])
    count.complete(one, by: a)
    count.complete(two, by: b)
    count.complete(one, by: a)
    #expect(count.count == 0)
    count.complete(two, by: a)
    count.complete(one, by: b)
    #expect(count.count == 2)
    count.complete(two, by: a)
    #expect(count.count == 2)
    count.complete(one, by: a)
    #expect(count.count == 3)
  }
}
