// The form and the order of the lines of `get`, which scripts read.
import Foundation
import Testing

struct LogTests {
  private let workbench = Workbench()

  @Test func `get prints the engine's log lines in order on stderr, and the path on stdout`() throws {
    let byteCount = (3 << 20) + 17
    let (one, fileID, _) = try workbench.serveFile(byteCount: byteCount)
    let two = try workbench.serve(workbench.path("served"))
    let get = try workbench.run("get", fileID, "--peer", one.address, "--peer", two.address, "--workers", "2")
    #expect(get.code == 0, "\(get)")
    let path = "./data.bin"
    #expect(get.stdout.text == "\(path)\n", "\(get)")
    var lines = get.stderr.lines[...]
    func next() throws -> String {
      guard let line = lines.popFirst() else { throw Unexpected("a line is missing: \(get)") }
      return line
    }
    #expect(try next() == "[Downloader] Starting parallel download: data.bin (4 chunks from 2 peers)", "\(get)")
    #expect(try next() == "[Downloader] Using 2 parallel workers", "\(get)")
    let peers: Set<String> = [one.shortPeerID, two.shortPeerID]
    for (number, percent) in zip(1...4, ["25.0", "50.0", "75.0", "100.0"]) {
      let line = try next()
      let match = try #require(
        line.wholeMatch(of: #/\[Worker (\d)\] Chunk (\d)/4 \((\d+\.\d)%\) from ([0-9a-f]{8}) in \d+ms/#), "\(line)")
      #expect(match.1 == "0" || match.1 == "1")
      #expect(match.2 == "\(number)")
      #expect(match.3 == percent)
      #expect(peers.contains(String(match.4)))
    }
    #expect(try next() == "[Stats] File: data.bin", "\(get)")
    #expect(try next() == "[Stats] Total chunks: 4, Downloaded: 4, Failed: 0", "\(get)")
    let bytes = try next()
    let speed = try #require(
      bytes.wholeMatch(of: #/\[Stats\] Bytes: (\d+), Duration: \d+\.\ds, Speed: (\d+\.\d\d MB/s)/#), "\(bytes)")
    #expect(speed.1 == "\(byteCount)")
    #expect(try next() == "[Stats] Peer performance:", "\(get)")
    var chunks = 0
    for _ in peers {
      let line = try next()
      let match = try #require(
        line.wholeMatch(of: #/  - ([0-9a-f]{8}): (\d+) chunks, avg latency \d+ms, score (\d+\.\d)/#), "\(line)")
      #expect(peers.contains(String(match.1)))
      chunks += Int(match.2) ?? 0
    }
    #expect(chunks == 4, "\(get)")
    #expect(try next() == "[Downloader] Download complete: data.bin (\(speed.2))", "\(get)")
    let saved = try next()
    #expect(saved.wholeMatch(of: #/Saved (\S+) \(3\.0 MiB in \d+\.\ds\)/#)?.1 == path[...], "\(saved)")
    #expect(lines.isEmpty, "\(get)")
  }

  @Test func `get --quiet prints only the path on success`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let get = try workbench.run("get", fileID, "--peer", served.address, "--quiet")
    #expect(get.code == 0, "\(get)")
    #expect(get.stdout.text == "./data.bin\n" && get.stderr.bytes.isEmpty, "\(get)")
  }

  @Test func `get --quiet prints one line on failure`() throws {
    let port = try LocalPort.closed()
    let get = try workbench.run("get", String(repeating: "ab", count: 32), "--peer", "127.0.0.1:\(port)", "--quiet")
    #expect(get.code == 69, "\(get)")
    #expect(get.stderr.lines.count == 1, "\(get)")
  }

  @Test func `serve --verbose reports which peers connect and which files they open`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/data.bin", byteCount: 1_000)
    let served = try workbench.serve(folder, "--verbose")
    let get = try workbench.run("get", try served.fileID("data.bin"), "--peer", served.address)
    #expect(get.code == 0, "\(get)")
    try workbench.line(of: served.child, "the visit's end") { line in
      line.contains(#/^\[[0-9a-f]{8}\] 127\.0\.0\.1:\d+: it said: done$/#)
    }
    let visit = served.child.stderr.lines.dropFirst(2).map {
      $0.replacing(#/^\[[0-9a-f]{8}\] 127\.0\.0\.1:\d+: /#, with: "").replacing(#/ in \d+\.\ds$/#, with: "")
    }
    let sent = "was sent 1000 B of data.bin"
    #expect(visit == ["connected", "opens data.bin", sent, "it said: done"], "\(served.child)")
  }

  @Test func `serve reports the peer, the bytes and the time of each upload`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: (3 << 20) + 17)
    let get = try workbench.run("get", fileID, "--peer", served.address)
    #expect(get.code == 0, "\(get)")
    let line = try workbench.line(of: served.child, with: "was sent")
    #expect(
      line.wholeMatch(of: #/\[[0-9a-f]{8}\] 127\.0\.0\.1:\d+: was sent 3\.0 MiB of data\.bin in \d+\.\ds/#) != nil,
      "\(line)")
    served.child.signal(SIGTERM)
    try workbench.ended(served.child)

    let other = try workbench.serve(workbench.path("served"), "--json")
    let again = try workbench.run("get", fileID, "--peer", other.address, "-o", "again.bin")
    #expect(again.code == 0, "\(again)")
    try workbench.line(of: other.child, on: .stdout, with: #""event":"uploaded""#)
    let events = try JSONLines.objects(other.child.stdout).filter { $0["event"] as? String == "uploaded" }
    #expect(events.count == 1 && events[0]["bytes"] as? Int == (3 << 20) + 17, "\(other.child)")
    #expect(events[0]["path"] as? String == "data.bin" && events[0]["seconds"] is Double, "\(other.child)")
  }
}
