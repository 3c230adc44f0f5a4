// Downloads from many real peers. Some of them die, stop, slow down or come back, or all of them leave. A download that
// can finish does, and its last lines report what happened.
//
// P2PNODE_SCENARIOS=full runs them with the engine's own timeout.
import Foundation
import Testing

struct TroubleTests {
  private let workbench = Workbench()

  @Test func `get finishes while one of eight peers dies, one stops, one crawls and one returns`() throws {
    let (chunkCount, timeoutSeconds) = Extent.isFull ? (400, 30) : (56, 4)
    let folder = workbench.path("served")
    let identity = workbench.path("identity")
    let (dying, fileID, path) = try workbench.serveFile(byteCount: chunkCount << 20, "--upload-limit", "1Mi")
    let stopping = try workbench.serve(folder, "--upload-limit", "1Mi")
    let crawling = try workbench.serve(folder, "--upload-limit", "500000")
    let returning = try workbench.serve(folder, "--upload-limit", "1Mi", "--identity", identity)
    var healthy: [Served] = []
    for _ in 0..<4 { healthy.append(try workbench.serve(folder, "--upload-limit", "1Mi")) }
    let peers = [dying, stopping, crawling, returning] + healthy
    let get = try workbench.start(
      ["get", fileID, "-o", "out.bin", "--json", "--chunk-timeout", "\(timeoutSeconds)"]
        + peers.flatMap { ["--peer", $0.address] })

    for (victim, signal) in [(dying, SIGKILL), (stopping, SIGSTOP), (returning, SIGKILL)] {
      try workbench.line(of: get, with: "from \(victim.shortPeerID) in")
      victim.child.signal(signal)
    }
    try workbench.ended(returning.child)
    let returned = try workbench.serve(
      folder, "--upload-limit", "1Mi", "--identity", identity, at: returning.address)
    try #require(returned.peerID == returning.peerID && get.code == nil, "\(get)")
    try workbench.ended(get, within: Extent.isFull ? 600 : Workbench.patienceSeconds)

    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    let events = try GetEvents(get)
    #expect(events.number("failedChunks") == 0 && events.number("downloadedChunks") == chunkCount, "\(get)")
    for lost in [dying, stopping, returning] {
      #expect(try #require(events.number("failures", of: lost.peerID)) >= 1, "\(lost.shortPeerID): \(get)")
    }
    let all = peers.compactMap { events.number("chunks", of: $0.peerID) }
    #expect(all.count == 8 && all.reduce(0, +) == chunkCount, "\(get)")
    let slow = try #require(events.number("bytes", of: crawling.peerID))
    for peer in healthy {
      #expect(try #require(events.number("bytes", of: peer.peerID)) > slow, "\(peer.shortPeerID): \(get)")
    }
    #expect(slow > 0 && events.named("ban").isEmpty, "\(get)")
    // The peer was lost, joined again, and delivered chunks again.
    let words = events.all.map { event in
      event["peer"] as? String == returning.peerID ? event["event"] as? String ?? "" : ""
    }
    let loss = try #require(words.firstIndex(of: "peerLost"), "\(get)")
    let joined = try #require(words[loss...].firstIndex(of: "peer"), "\(get)")
    #expect(words[joined...].contains("chunk"), "\(get)")
    // Other peers had the chunks that these peers failed, so no retry was spent.
    #expect(events.number("retries") == 0, "\(get)")
    let trouble = try #require(get.stderr.lines.first { $0.hasPrefix("[Stats] Failures: ") }, "\(get)")
    for lost in [dying, stopping, returning] { #expect(trouble.contains(lost.shortPeerID), "\(trouble)") }
    #expect(
      get.stderr.lines.contains { $0.wholeMatch(of: #/\[Stats\] Retries: \d+, Hedges: \d+, .*/#) != nil }, "\(get)")
  }

  @Test func `get exits with 75 if all peers go, and later fetches only the missing chunks`() throws {
    let folder = workbench.path("served")
    let (one, fileID, path) = try workbench.serveFile(byteCount: 12 << 20, "--upload-limit", "2Mi")
    let two = try workbench.serve(folder, "--upload-limit", "2Mi")
    let output = try workbench.makeFolder("output")
    let arguments = [
      "get", fileID, "--peer", one.address, "--peer", two.address, "-o", output + "/out.bin", "--chunk-timeout", "1",
      "--json",
    ]
    let left = try workbench.start(arguments)
    try workbench.line(of: left, with: "Chunk 5/12")
    for peer in [one, two] { peer.child.signal(SIGKILL) }
    try workbench.ended(left)
    #expect(left.code == 75, "\(left)")
    let last = try #require(left.stderr.lines.last)
    let match = try #require(
      last.wholeMatch(
        of:
          #/p2pnode: no peer is left \((.*)\); (\d+) of 12 chunks are kept in (.*): run the same command again to resume/#
      ), "\(left)")
    for peer in [one, two] {
      #expect(match.1.firstMatch(of: try Regex("\(peer.address): [A-Za-z]")) != nil, "\(last)")
    }
    let before = try GetEvents(left).chunks
    #expect(Int(match.2) == before.count && before.count >= 5, "\(left)")
    #expect(match.3 == PartFolder(path: output, fileID: fileID, byteCount: 12 << 20).part)

    for peer in [one, two] { _ = try workbench.serve(folder, at: peer.address) }
    let resumed = try workbench.ended(try workbench.start(arguments))
    #expect(resumed.code == 0, "\(resumed)")
    let after = try GetEvents(resumed)
    #expect((before + after.chunks).sorted() == Array(0..<12), "\(before), then \(after.chunks)")
    #expect(after.number("resumedChunks") == before.count && after.number("duplicateBytes") == 0, "\(resumed)")
    #expect(after.number("bytes") == (12 - before.count) << 20, "\(resumed)")
    #expect(TestFile.areEqual(path, output + "/out.bin"))
  }

  @Test func `get finishes over a link on which one chunk takes eight timeouts`() throws {
    let byteCount = 1 << 20 | 100_000
    let (rate, seconds) = Extent.isFull ? ("4000", "30") : ("128Ki", "1")
    let (served, fileID, path) = try workbench.serveFile(byteCount: byteCount, "--upload-limit", rate)
    let get = try workbench.start([
      "get", fileID, "--peer", served.address, "-o", "out.bin", "--json", "--chunk-timeout", seconds,
    ])
    try workbench.ended(get, within: Extent.isFull ? 900 : Workbench.patienceSeconds)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    let events = try GetEvents(get)
    #expect(events.number("failedChunks") == 0 && events.number("bytes") == byteCount, "\(get)")
    // More retries than one chunk has, so some of them were given back.
    let retries = events.named("retry").count { $0["chunk"] as? Int == 0 && $0["reason"] as? String == "timeout" }
    #expect(retries > 3, "\(get)")
  }

  @Test func `a chunk that fails is reported with the reason and how to resume`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 4 << 20, "--upload-limit", "1Mi")
    let get = try workbench.start([
      "get", fileID, "--peer", served.address, "-o", "out.bin", "--chunk-timeout", "0.5", "--retries", "1",
    ])
    try workbench.line(of: get, with: "Chunk 1/4")
    served.child.signal(SIGSTOP)
    try workbench.ended(get)
    #expect(get.code == 75, "\(get)")
    let pattern = #/p2pnode: chunk \d failed after all its retries \(last: timeout at ([0-9a-f]{8})\); \d of 4 .*/#
    let match = try #require(get.stderr.lines.last?.wholeMatch(of: pattern), "\(get)")
    #expect(match.1 == served.shortPeerID)
    #expect(get.stderr.lines.last?.hasSuffix("run the same command again to resume") == true, "\(get)")
  }
}
