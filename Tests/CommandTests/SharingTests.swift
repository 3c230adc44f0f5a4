// Downloads that serve each other: the seed sends little more than one copy, and a peer that leaves harms no other.
import Foundation
import Testing

struct SharingTests {
  private let workbench = Workbench()

  /// Starts a download into its own folder, as `out.bin`. Waits until it prints where it listens.
  private func get(
    _ fileID: String, from peers: [String], into folder: String, _ options: String...
  ) throws -> (child: Child, address: String) {
    _ = try workbench.makeFolder(folder)
    let child = try workbench.start(
      ["get", fileID, "--json", "--verbose", "-o", "\(folder)/out.bin"] + options + peers.flatMap { ["--peer", $0] })
    let line = try workbench.line(of: child, with: "Listening on ")
    let address = try #require(line.split(separator: " ").last)
    return (child, String(address))
  }

  private func done(_ get: Child) throws -> [String: Any] {
    try #require(try JSONLines.objects(get.stdout).last { $0["event"] as? String == "done" }, "\(get)")
  }

  @Test func `a get that knows only another get completes beside it`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 12 << 20, "--upload-limit", "4Mi")
    let first = try get(fileID, from: [served.address], into: "one", "--keep-serving")
    let second = try get(fileID, from: [first.address], into: "two")
    try workbench.ended(second.child)
    // Either of them may finish first.
    try workbench.wait(for: "the first to stay") { first.child.stdout.text.contains("\"done\"") }
    first.child.signal(SIGINT)
    try workbench.ended(first.child)
    for (get, name) in [(first.child, "one"), (second.child, "two")] {
      #expect(get.code == 0, "\(get)")
      #expect(TestFile.areEqual(path, workbench.path("\(name)/out.bin")))
      #expect(try done(get)["retries"] as? Int == 0, "\(get)")
    }
    let stopped = try #require(try JSONLines.objects(first.child.stdout).last)
    #expect(stopped["event"] as? String == "stopped")
    let uploaded = try #require(stopped["uploadedBytes"] as? Int)
    // The first peer told the second one about the source, and the second asks both.
    #expect(uploaded > 1 << 20)
  }

  @Test func `none of three gets that know one another needs the complete file from the slow seed`() throws {
    let byteCount = 16 << 20
    let (served, fileID, path) = try workbench.serveFile(byteCount: byteCount, "--upload-limit", "4Mi")
    var peers = [served.address]
    var gets: [Child] = []
    for number in 0..<3 {
      let (child, address) = try get(fileID, from: peers, into: "\(number)", "--keep-serving")
      peers.append(address)
      gets.append(child)
    }
    for get in gets { try workbench.line(of: get, with: "Still serving") }
    var fromSeed = 0
    for (number, get) in gets.enumerated() {
      get.signal(SIGTERM)
      try workbench.ended(get)
      #expect(get.code == 0, "\(get)")
      #expect(TestFile.areEqual(path, workbench.path("\(number)/out.bin")))
      let sources = try #require(try done(get)["peers"] as? [[String: Any]])
      for source in sources where source["peer"] as? String == served.peerID {
        fromSeed += source["bytes"] as? Int ?? 0
      }
    }
    #expect(fromSeed < byteCount * 2, "the seed sent \(fromSeed) bytes of \(byteCount)")
  }

  @Test func `killing one get does not stop another`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 12 << 20, "--upload-limit", "4Mi")
    let victim = try get(fileID, from: [served.address], into: "victim")
    let survivor = try get(fileID, from: [served.address, victim.address], into: "survivor")
    try workbench.line(of: survivor.child, with: "Chunk 3/12")
    victim.child.signal(SIGKILL)
    try workbench.ended(survivor.child)
    #expect(survivor.child.code == 0, "\(survivor.child)")
    #expect(TestFile.areEqual(path, workbench.path("survivor/out.bin")))
  }

  @Test func `get offers a file that was already there for the given time`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 3 << 20)
    let first = try get(fileID, from: [served.address], into: "one").child
    try workbench.ended(first)
    #expect(first.code == 0, "\(first)")
    let again = try get(fileID, from: [served.address], into: "one", "--keep-serving=3s")
    try workbench.line(of: again.child, with: "for 3s; end it sooner with Ctrl-C")
    served.child.signal(SIGKILL)
    let other = try workbench.run("get", fileID, "--peer", again.address, "-o", "copy.bin")
    #expect(other.code == 0, "\(other)")
    #expect(TestFile.areEqual(path, workbench.path("copy.bin")))
    try workbench.ended(again.child)
    #expect(again.child.code == 0, "\(again.child)")
  }

  @Test func `get --no-upload offers nothing, and neither does a stream`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 3 << 20)
    let silent = try workbench.run("get", fileID, "--peer", served.address, "--no-upload", "--json", "-o", "out.bin")
    #expect(silent.code == 0, "\(silent)")
    #expect(!silent.stdout.text.contains("listening"), "\(silent)")
    let stream = try workbench.run("get", fileID, "--peer", served.address, "-o", "-")
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(stream.code == 0 && stream.stdout.bytes == bytes)
  }

  @Test func `get exits with 74 if its address is taken, and names the remedy`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let get = try workbench.run("get", fileID, "--peer", served.address, "--listen", served.address)
    #expect(get.code == 74, "\(get)")
    #expect(get.stderr.text.contains("cannot listen on \(served.address)"), "\(get)")
    #expect(get.stderr.text.contains("--listen HOST:PORT"), "\(get)")
  }

  @Test func `a get that others fetch from needs no more memory`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 192 << 20)
    let first = try get(fileID, from: [served.address], into: "one", "--keep-serving")
    let others = try (0..<4).map { try get(fileID, from: [first.address], into: "copy\($0)").child }
    for other in others {
      try workbench.ended(other)
      #expect(other.code == 0, "\(other)")
    }
    try workbench.line(of: first.child, with: "Still serving")
    let status = try String(contentsOfFile: "/proc/\(try #require(first.child.pid))/status", encoding: .utf8)
    let peak = try #require(status.firstMatch(of: #/VmHWM:\s+(\d+) kB/#)).1
    let kibibytes = try #require(Int(peak))
    #expect(kibibytes < 100 << 10, "\(kibibytes) KiB")
    #expect(TestFile.areEqual(path, workbench.path("copy0/out.bin")))
    first.child.signal(SIGINT)
    try workbench.ended(first.child)
    #expect(first.child.code == 0, "\(first.child)")
  }
}
