// Several real peers at once. Some of them leave or change during the download.
import Foundation
import Testing

struct SwarmTests {
  private let workbench = Workbench()

  @Test func `if three of eight peers die midway, the file arrives byte-identical`() throws {
    let (first, fileID, path) = try workbench.serveFile(byteCount: 64 << 20, "--upload-limit", "3Mi")
    var peers = [first]
    for _ in 1..<8 { peers.append(try workbench.serve(workbench.path("served"), "--upload-limit", "3Mi")) }
    let get = try workbench.start(["get", fileID, "-o", "out.bin"] + peers.flatMap { ["--peer", $0.address] })
    for (victim, chunk) in zip(peers, [8, 16, 24]) {
      try workbench.line(of: get, with: "Chunk \(chunk)/64")
      try workbench.line(of: get, with: "from \(victim.shortPeerID) in")
      try #require(get.code == nil, "it was done before: \(get)")
      victim.child.signal(SIGKILL)
    }
    try workbench.ended(get)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    for peer in peers {
      #expect(get.stderr.text.contains("from \(peer.shortPeerID) in"), "\(peer.shortPeerID) gave nothing: \(get)")
    }
  }

  @Test func `a get in a zone counts bytes by zone and fetches from its zone`() throws {
    let (near, fileID, path) = try workbench.serveFile(byteCount: 24 << 20, "--zone", "rack1", "--upload-limit", "20Mi")
    let far = try workbench.serve(workbench.path("served"), "--zone", "rack2")
    let get = try workbench.run(
      "get", fileID, "--peer", far.address, "--peer", near.address, "-o", "out.bin", "--zone", "rack1")
    #expect(get.code == 0 && TestFile.areEqual(path, workbench.path("out.bin")), "\(get)")
    let line = try #require(
      get.stderr.text.firstMatch(of: #/\[Stats\] Bytes by zone: (\d+) own, (\d+) other, 0 unknown\n/#), "\(get)")
    let (own, other) = (try #require(Int(line.1)), try #require(Int(line.2)))
    #expect(own + other == 24 << 20 && own > other, "\(get)")
    let json = try workbench.run(
      "get", fileID, "--peer", near.address, "-o", "json.bin", "--zone", "rack9", "--json", "--quiet")
    #expect(
      json.code == 0 && json.stdout.text.contains(#""zoneBytes":{"own":0,"other":25165824,"unknown":0}"#), "\(json)")
    let plain = try workbench.run("get", fileID, "--peer", near.address, "-o", "plain.bin")
    #expect(plain.code == 0 && !plain.stderr.text.contains("by zone"), "\(plain)")
  }

  @Test func `a peer withdraws a file that changes while it is sent, and another peer sends it`() throws {
    let (one, fileID, changed) = try workbench.serveFile(byteCount: 12 << 20, "--upload-limit", "2Mi", folder: "one")
    let (two, same, path) = try workbench.serveFile(byteCount: 12 << 20, "--upload-limit", "2Mi", folder: "two")
    try #require(fileID == same)
    let get = try workbench.start(["get", fileID, "--peer", one.address, "--peer", two.address, "-o", "out.bin"])
    try workbench.line(of: get, with: "Chunk 2/12")
    let file = try #require(FileHandle(forWritingAtPath: changed))
    try file.write(contentsOf: [1, 2, 3])
    try file.close()
    try workbench.line(of: one.child, with: "data.bin: changed since it was hashed; it is no longer served")
    try workbench.ended(get)
    #expect(get.code == 0, "\(get)")
    #expect(get.stderr.text.contains("\(one.address): it no longer offers the file: it was changed there"), "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    let later = try workbench.run("get", fileID, "--peer", one.address, "-o", "later.bin")
    #expect(later.code == 69, "\(later)")
  }

  @Test func `get ends if its only peer removes the file, and keeps the part`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 6 << 20, "--upload-limit", "2Mi")
    let get = try workbench.start([
      "get", fileID, "--peer", served.address, "-o", "out.bin", "--chunk-timeout", "1",
    ])
    try workbench.line(of: get, with: "Chunk 2/6")
    truncate(path, 0)
    try workbench.ended(get)
    #expect(get.code == 75, "\(get)")
    let last = get.stderr.lines.last ?? ""
    #expect(last.contains("ask the sender for the new ID of the file"), "\(get)")
    #expect(last.contains("of 6 chunks are kept in ./.\(fileID.prefix(16)).p2p-part"), "\(get)")
  }

  @Test func `get ends if its only peer replaces the file, and asks for the new ID`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 6 << 20, "--upload-limit", "2Mi")
    let get = try workbench.start([
      "get", fileID, "--peer", served.address, "-o", "out.bin", "--chunk-timeout", "1", "--wait", "3s",
    ])
    try workbench.line(of: get, with: "Chunk 2/6")
    rename(try workbench.makeFile("new", byteCount: 1_000, seed: 2), path)
    try workbench.ended(get)
    #expect(get.code == 75, "\(get)")
    let last = get.stderr.lines.last ?? ""
    #expect(last.contains("it no longer offers the file: it was removed there"), "\(get)")
    #expect(last.contains("ask the sender for the new ID of the file"), "\(get)")
    #expect(!last.contains("run the same command again"), "it could never work: \(get)")
  }

  @Test func `a request for a file that is being hashed is answered when it is hashed`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/z.bin", byteCount: 100_000)
    let fileID = String(try workbench.run("id", "served/z.bin").stdout.text.prefix(64))
    // Files are hashed in the order of their names, on one core. The first is a sparse gigabyte.
    try workbench.makeFile("served/a.bin", byteCount: 0)
    truncate(folder + "/a.bin", 1 << 30)
    let served = try workbench.listen(folder, ["--json"], through: Processor.onlyOne)
    let get = try workbench.start(["get", fileID, "--peer", served.address, "-o", "out.bin"])
    let missing = try workbench.start(["get", String(repeating: "0", count: 64), "--peer", served.address])
    try workbench.ended(get)
    try workbench.ended(missing)
    #expect(get.code == 0, "\(get)")
    #expect(missing.code == 69, "\(missing)")
    #expect(TestFile.areEqual(folder + "/z.bin", workbench.path("out.bin")))
    try workbench.line(of: served.child, on: .stdout, with: #""ready""#)
    let events = try JSONLines.objects(served.child.stdout).compactMap { $0["event"] as? String }
    let firstCame = try #require(events.firstIndex(of: "connected"))
    let hashed = try #require(events.lastIndex(of: "file"))
    #expect(firstCame < hashed, "the file was hashed before it was asked for: \(events)")
  }

  @Test func `an upload limit is kept`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 4 << 20, "--upload-limit", "2Mi")
    let get = try workbench.run("get", fileID, "--peer", served.address, "--json")
    let done = try #require(try JSONLines.objects(get.stdout).last)
    // Everything but the allowed burst arrives at the limit. Other tests check that it arrives at all.
    let secondsLeast = Double((4 << 20) - (256 << 10)) / Double(2 << 20)
    #expect(try #require(done["seconds"] as? Double) >= secondsLeast * 0.95, "\(get)")
  }
}
