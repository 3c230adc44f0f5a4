// Many peers that have left and delivered nothing: the statistics summarise them.
import Foundation
import Posix
import TestSupport
import Testing
import Transfer
import Wire

struct OtherPeersTests {
  private let workbench = Workbench()

  @Test func `unlisted peers are summed up in the statistics, in text and with --json`() throws {
    for isJSON in [true, false] {
      let sample = Sample("data.bin", byteCount: (1 << 20) + 5)
      let visitorCount = 40
      let gone = BlockingQueue<Bool>()
      var leaving = SourceScript(sample)
      leaving.onOpen = { peer, open, sample in
        try peer.offer(sample, as: open.handle)
        try peer.send(.goodbye(Goodbye(code: .shuttingDown, text: "")))
        while (try? peer.receive()) != nil {}
        gone.put(true)
        throw SocketEnd.endOfStream
      }
      var honest = SourceScript(sample)
      // All the others have been here before this peer opens the file.
      honest.onOpen = { peer, open, sample in
        for _ in 0..<visitorCount { _ = gone.take() }
        try peer.offer(sample, as: open.handle)
      }
      let visitors = try (0..<visitorCount).map { _ in try FakeSource(leaving) }
      let source = try FakeSource(honest)
      defer {
        gone.close()
        for source in visitors + [source] { source.stop() }
      }
      let peers = ([source] + visitors).flatMap { ["--peer", "127.0.0.1:\($0.address.port)"] }
      let get = try workbench.start(
        ["get", sample.fileID.hex, "-o", isJSON ? "one.bin" : "two.bin"] + (isJSON ? ["--json"] : []) + peers)
      try workbench.ended(get, within: Workbench.patienceSeconds)
      #expect(get.code == 0, "\(get)")
      if isJSON { try check(json: get, visitorCount) } else { try check(text: get, visitorCount) }
    }
  }

  private func check(json get: Child, _ visitorCount: Int) throws {
    let table = try EventTable()
    let done = try #require(try JSONLines.objects(get.stdout).last)
    #expect(done["event"] as? String == "done" && table.difference(of: done) == nil, "\(get)")
    let others = try #require(done["otherPeers"] as? [String: Any], "\(get)")
    let listed = try #require(done["peers"] as? [[String: Any]])
    let count = try #require(others["count"] as? Int)
    #expect(count > 0 && count + listed.count >= visitorCount + 1, "\(get)")
    for member in ["chunks", "bytes", "banned"] { #expect(others[member] as? Int == 0, "\(get)") }
  }

  private func check(text get: Child, _ visitorCount: Int) throws {
    let lines = get.stderr.lines
    let start = try #require(lines.firstIndex(of: "[Stats] Peer performance:"), "\(get)")
    let rest = lines[(start + 1)...].drop { $0.hasPrefix("  - ") }
    let line = try #require(rest.first, "\(get)")
    let match = try #require(
      line.wholeMatch(of: #/\[Stats\] Other peers: (\d+) \(0 chunks, 0 bytes, \d+ failures, 0 banned\)/#), "\(get)")
    let listedCount = rest.startIndex - start - 1
    let count = try #require(Int(match.1))
    #expect(count > 0 && count + listedCount >= visitorCount + 1, "\(get)")
    #expect(rest.count == 3, "\(get)")
    #expect(rest.dropFirst().first?.hasPrefix("[Downloader] Download complete: ") == true, "\(get)")
  }
}
