// Where the output goes: it never replaces another file and is never partial. If it cannot be put there, get says why.
import Foundation
import TestSupport
import Testing

struct PlaceTests {
  private let workbench = Workbench()

  private func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(arguments: [0, 1, 16_384, 1 << 20, (2 << 20) + 1])
  func `a file of any size arrives complete under the name that its peer suggests`(byteCount: Int) throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: byteCount)
    let output = try workbench.makeFolder("output")
    let get = try workbench.run("get", fileID, "--peer", served.address, in: output)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, output + "/data.bin"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == ["data.bin"])
    let mode = try FileManager.default.attributesOfItem(atPath: output + "/data.bin")[.posixPermissions] as? Int
    let mask = umask(0)
    umask(mask)
    #expect(mode == 0o666 & ~Int(mask))
  }

  @Test func `get -o with a folder keeps the suggested name, and with a file name sets it`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let output = try workbench.makeFolder("output")
    for (place, result) in [(output, "output/data.bin"), (output + "/own.name", "output/own.name")] {
      let get = try workbench.run("get", fileID, "--peer", served.address, "-o", place)
      #expect(get.code == 0, "\(get)")
      #expect(TestFile.areEqual(path, workbench.path(result)))
    }
  }

  @Test func `get exits with 73 if the folder of its output is missing, and says to make it`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let get = try workbench.run("get", fileID, "--peer", served.address, "-o", "models/m1")
    #expect(get.code == 73, "\(get)")
    #expect(get.stderr.text.contains("models: No such file or directory; create that folder first"), "\(get)")
  }

  @Test func `get -o - writes the file in order to stdout and nothing else`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: (5 << 20) + 3)
    let output = try workbench.makeFolder("output")
    let get = try workbench.run("get", fileID, "--peer", served.address, "-o", "-", in: output)
    #expect(get.code == 0, "it ended with \(String(describing: get.code)): \(get.stderr)")
    // Compare first: a failed expectation would print all bytes.
    let isSame = FileManager.default.contents(atPath: path) == Data(get.stdout.bytes)
    #expect(isSame)
    #expect(get.stderr.lines.last?.hasPrefix("[Downloader] Download complete") == true, "\(get.stderr)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == [])
  }

  @Test func `a stream waits for its reader without spending a retry`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: (40 << 20) + 3)
    let impatience = ["--chunk-timeout", "0.3", "--retries", "0"]
    let pipe = workbench.path("pipe")
    mkfifo(pipe, 0o600)
    // The pipe has a reader that reads nothing.
    let pausing = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    defer { close(pausing) }
    // Much longer than the pipe and the window together, so that many requests have to wait.
    let get = try workbench.start(
      ["get", fileID, "--peer", served.address, "-o", "-"] + impatience,
      through: ["/bin/bash", "-c", #"exec "$@" > "$0""#, pipe])
    try workbench.line(of: get, with: "Chunk 8/41")
    // Two downloads with the same timeout give up on a silent peer. The reader pauses for longer than that.
    var script = SourceScript()
    script.onRequest = { _, _, _ in }
    let silent = try FakeSource(script)
    defer { silent.stop() }
    for _ in 1...2 {
      let other = try workbench.start(
        ["get", script.sample.fileID.hex, "--peer", "127.0.0.1:\(silent.address.port)", "-o", "other.bin"]
          + impatience)
      try workbench.ended(other)
      #expect(other.code == 75, "\(other)")
    }
    #expect(get.code == nil, "\(get)")
    let reading = try workbench.start("/bin/sh", ["-c", #"cat "$0" > out.bin"#, pipe])
    try workbench.ended(get)
    try workbench.ended(reading)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get exits with 74 at once and with one line if the reader of its stream goes`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 20 << 20)
    let get = try workbench.run(
      "get", fileID, "--peer", served.address, "-o", "-", "--quiet",
      through: ["/bin/bash", "-c", #""$@" | head -c 1000 > out.bin; exit ${PIPESTATUS[0]}"#, "bash"])
    #expect(get.code == 74, "\(get)")
    let said = "p2pnode: the reader closed the stream; nothing is kept, run the same command again"
    #expect(get.stderr.lines == [said], "\(get)")
    #expect(try FileManager.default.attributesOfItem(atPath: workbench.path("out.bin"))[.size] as? Int == 1000)
  }

  @Test func `get exits with 73 if the output exists, and replaces it with --force`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let output = try workbench.makeFile("out.bin", Array("mine".utf8))
    let refused = try workbench.run("get", fileID, "--peer", served.address, "-o", "out.bin")
    #expect(refused.code == 73, "\(refused)")
    #expect(refused.stderr.lines.last?.contains("out.bin: exists already") == true, "\(refused)")
    #expect(refused.stderr.lines.last?.contains("--force") == true, "\(refused)")
    #expect(text(output) == "mine")
    let left = try FileManager.default.contentsOfDirectory(atPath: workbench.folder).filter { $0.hasSuffix("p2p-part") }
    #expect(left == [], "it left a part file")
    let forced = try workbench.run("get", fileID, "--peer", served.address, "-o", "out.bin", "--force")
    #expect(forced.code == 0, "\(forced)")
    #expect(TestFile.areEqual(path, output))
  }

  @Test func `a name that a peer or a link suggests replaces no file, also with --force`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let folder = try workbench.makeFolder("output")
    let output = try workbench.makeFile("output/data.bin", Array("mine".utf8))
    let other = try workbench.makeFile("output/other.bin", Array("mine too".utf8))
    for wanted in [fileID, "p2pnode:\(fileID)/name=other.bin", "p2pnode:\(fileID)/name=other.bin/length=1000"] {
      for options in [[], ["--force"], ["--force", "-o", folder]] {
        let get = try workbench.start(["get", wanted, "--peer", served.address] + options, in: folder)
        try workbench.ended(get)
        #expect(get.code == 73, "\(get)")
        #expect(get.stderr.lines.last?.hasSuffix("name the file with -o PATH") == true, "\(get)")
        #expect(get.stderr.lines.last?.contains("--force") == false, "\(get)")
      }
    }
    #expect(text(output) == "mine" && text(other) == "mine too")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["data.bin", "other.bin"])
    let named = try workbench.run(
      "get", "p2pnode:\(fileID)/name=other.bin", "--peer", served.address, "-o", "other.bin", "--force", in: folder)
    #expect(named.code == 0, "\(named)")
    #expect(TestFile.areEqual(path, other) && text(output) == "mine")
  }

  @Test func `the name of an earlier get replaces no file unless it is given again`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 70 << 20, "--upload-limit", "20Mi")
    let first = try workbench.start(["get", fileID, "--peer", served.address, "-o", "out.bin", "--force"])
    try workbench.line(of: first, with: "Chunk 5/70")
    first.signal(SIGINT)
    try workbench.ended(first)
    #expect(first.code == 130, "\(first)")
    let output = try workbench.makeFile("out.bin", Array("mine".utf8))
    let again = try workbench.run("get", fileID, "--peer", served.address, "--force")
    #expect(again.code == 73, "\(again)")
    #expect(again.stderr.lines.last?.contains("out.bin: exists already") == true, "\(again)")
    #expect(text(output) == "mine")
  }

  @Test func `get exits with 73 if the output is not a file, and leaves it, also with --force`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    mkfifo(workbench.path("pipe"), 0o600)
    for options in [[], ["--force"]] {
      let get = try workbench.ended(
        try workbench.start(["get", fileID, "--peer", served.address, "-o", "pipe"] + options))
      #expect(get.code == 73, "\(get)")
      #expect(
        get.stderr.lines.last?.hasSuffix(
          "pipe: is a device, a pipe or a socket, which is never replaced; choose another name")
          == true, "\(get)")
    }
    let type = try FileManager.default.attributesOfItem(atPath: workbench.path("pipe"))[.type] as? FileAttributeType
    #expect(type == .typeUnknown)
  }

  @Test func `get needs no peer if the file is already there, and needs one if it is another file`() throws {
    let path = try workbench.makeFile("out.bin", byteCount: 3_000_000)
    let fileID = String(try workbench.run("id", path).stdout.text.prefix(64))
    let found = try workbench.run("get", fileID, "--no-lan", "-o", "out.bin")
    #expect(found.code == 0, "\(found)")
    #expect(found.stderr.text.contains("Already complete: ./out.bin"), "\(found)")
    let other = try workbench.makeFile("other.bin", byteCount: 3_000_000, seed: 2)
    let missing = try workbench.run("get", fileID, "--no-lan", "-o", "other.bin")
    #expect(missing.code == 69, "\(missing)")
    #expect(missing.stderr.text.contains("no peer answered"), "\(missing)")
    #expect(try workbench.run("verify", fileID, other).code == 65)
    // The file is offered again, although no other peer has it any more.
    let keeping = try workbench.start([
      "get", fileID, "--no-lan", "-o", "out.bin", "--keep-serving", "--listen", "127.0.0.1:0", "--verbose",
    ])
    let listening = try workbench.line(of: keeping, with: "Listening on ")
    try workbench.line(of: keeping, with: "Still serving out.bin")
    let address = String(listening.split(separator: " ").last!)
    let copy = try workbench.run("get", fileID, "--no-lan", "--peer", address, "-o", "copy.bin")
    #expect(copy.code == 0, "\(copy)")
    #expect(TestFile.areEqual(path, workbench.path("copy.bin")))
  }

  @Test func `get exits with 73 if the output appears meanwhile, and keeps the download`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 4 << 20, "--upload-limit", "2Mi")
    let get = try workbench.start(["get", fileID, "--peer", served.address, "-o", "out.bin"])
    try workbench.line(of: get, with: "Chunk 1/4")
    let output = try workbench.makeFile("out.bin", Array("mine".utf8))
    try workbench.ended(get)
    #expect(get.code == 73, "\(get)")
    #expect(text(output) == "mine")
    let again = try workbench.run("get", fileID, "--peer", served.address, "-o", "out.bin", "--force")
    #expect(again.code == 0, "\(again)")
    #expect(again.stderr.text.contains("Resumed: 4 chunks"), "\(again)")
    #expect(TestFile.areEqual(path, output))
  }

  @Test func `get exits with 73 if the output folder is missing`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    for output in ["missing/out.bin", "missing/"] {
      let get = try workbench.run("get", fileID, "--peer", served.address, "-o", output)
      #expect(get.code == 73, "\(get)")
      #expect(get.stderr.lines.last?.contains("missing") == true, "\(get)")
    }
  }

  @Test(.enabled(if: Privileges.canObeyPermissions))
  func `get exits with 73 if the output folder is not writable`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let output = try workbench.makeFolder("output")
    chmod(output, 0o555)
    let get = try workbench.run(
      "get", fileID, "--peer", served.address, "-o", output, through: Privileges.obeyPermissions)
    #expect(get.code == 73, "\(get)")
    #expect(get.stderr.lines.last?.contains("Permission denied") == true, "\(get)")
  }

  @Test(.enabled(if: Privileges.canMount))
  func `get exits with 73 if the output folder is on a read-only file system`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let output = try workbench.makeFolder("output")
    let get = try workbench.run(
      "get", fileID, "--peer", served.address, "-o", output, through: Privileges.mounting("ro", on: output))
    #expect(get.code == 73, "\(get)")
    #expect(get.stderr.lines.last?.contains("Read-only file system") == true, "\(get)")
  }

  @Test(.enabled(if: Privileges.canMount))
  func `get exits with 74 if the disk has no room for the file, and says how much it needs`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 3 << 20)
    let output = try workbench.makeFolder("output")
    let get = try workbench.run(
      "get", fileID, "--peer", served.address, "-o", output, through: Privileges.mounting("size=2m", on: output))
    #expect(get.code == 74, "\(get)")
    #expect(get.stderr.lines.last?.contains("no room on the disk for a file of 3145728 bytes") == true, "\(get)")
  }

  @Test func `a second get of the same file into the same folder exits with 73`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 6 << 20, "--upload-limit", "2Mi")
    let first = try workbench.start(["get", fileID, "--peer", served.address, "-o", "one.bin"])
    try workbench.line(of: first, with: "Chunk 1/6")
    let second = try workbench.run("get", fileID, "--peer", served.address, "-o", "two.bin")
    #expect(second.code == 73, "\(second)")
    #expect(second.stderr.lines.last?.contains("another download of this file is running") == true, "\(second)")
    try workbench.ended(first)
    #expect(first.code == 0, "\(first)")
    #expect(TestFile.areEqual(path, workbench.path("one.bin")))
  }

  @Test func `get exits with 73 if another file is in the place of its part file, and leaves it alone`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let part = workbench.path(".\(fileID.prefix(16)).p2p-part")
    try FileManager.default.createSymbolicLink(atPath: part, withDestinationPath: "victim")
    let victim = try workbench.makeFile("victim", Array("mine".utf8))
    let get = try workbench.run("get", fileID, "--peer", served.address, "-o", "out.bin")
    #expect(get.code == 73, "\(get)")
    #expect(get.stderr.lines.last?.contains("a symbolic link") == true, "\(get)")
    #expect(text(victim) == "mine")
  }
}
