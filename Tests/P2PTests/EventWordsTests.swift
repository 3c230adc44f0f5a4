// What `print` shows of events: a line that a person can read, with names made harmless.
import P2P
import Testing

struct EventWordsTests {
  @Test func `an update of a download prints as a sentence`() throws {
    let peer = try #require(PeerID(hex: String(repeating: "6d", count: 32)))
    let address = Endpoint(ipv4: (127, 0, 0, 1), port: 9_800)
    let updates: [(DownloadUpdate, String)] = [
      (.prepared(name: "disk.img\u{1B}[2J", length: 5), #"prepared disk.img\u{1B}[2J, 5 bytes"#),
      (.report(.started(chunks: 3, peers: 1)), "started: chunks 3, peers 1"),
      (
        .report(
          .chunkDone(
            chunk: ChunkIndex(2), worker: 0, finished: 1, total: 3, peer: peer, latency: .milliseconds(45), bytes: 9)),
        "worker 0: chunk 2 from 6d6d6d6d in 0.045 seconds, 1 of 3"
      ),
      (.report(.peerFailed(peer, .lie)), "6d6d6d6d: wrong data"),
      (.report(.peerLost(peer, .withdrawn)), "6d6d6d6d: no longer serves, the file is no longer offered"),
      (.resumed(chunks: 1, bytes: 7), "resumed: 1 chunk was there, 7 bytes"),
      (.listening(address), "listening on 127.0.0.1:9800"),
      (.waiting(nil), "no longer waits for peers"),
    ]
    for (update, words) in updates { #expect("\(update)" == words) }
  }

  @Test func `an event of a node prints as a sentence`() throws {
    let peer = try #require(PeerID(hex: String(repeating: "6d", count: 32)))
    let address = Endpoint(ipv4: (127, 0, 0, 1), port: 9_800)
    let events: [(NodeEvent, String)] = [
      (.connected(peer, address), "6d6d6d6d at 127.0.0.1:9800: connected"),
      (.opened(peer, address, path: "a\nb"), #"6d6d6d6d at 127.0.0.1:9800: opens a\nb"#),
      (.withdrawn(path: "a", "it has changed"), "a is no longer offered: it has changed"),
    ]
    for (event, words) in events { #expect("\(event)" == words) }
  }
}
