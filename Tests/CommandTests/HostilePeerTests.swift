// One honest peer beside three bad ones. The honest one delivers the file, and only the peer that lied is banned.
//
// With P2PNODE_SCENARIOS=full the late peer answers after the engine's own 30 s.
import Content
import Foundation
import Testing
import TestSupport
import Wire

struct HostilePeerTests {
  private let workbench = Workbench()
  private let timeoutSeconds = Extent.isFull ? 30 : 2

  /// How a peer refuses each request.
  enum Refusal: CaseIterable { case busy, notAllowed }

  @Test(arguments: Refusal.allCases)
  func `beside a liar, a refusing and a slow peer, get fetches the file from the fourth`(
    refusal: Refusal
  ) throws {
    // So slow that the other peers are asked too.
    let rate = Extent.isFull ? "64Ki" : "1Mi"
    let (honest, fileID, path) = try workbench.serveFile(byteCount: 4 << 20 | 77, "--upload-limit", rate)
    let bytes = Array(try #require(FileManager.default.contents(atPath: path)))
    let sample = Sample("data.bin", bytes: bytes)
    try #require(sample.fileID.hex == fileID)

    var lying = SourceScript(sample)
    lying.onRequest = { try $0.answerWrongly($1, from: $2) }
    var refusing = SourceScript(sample)
    switch refusal {
    case .busy:
      refusing.onRequest = { peer, request, _ in try peer.send(.busy(Busy(id: request.id, retryAfterMilliseconds: 300)))
      }
    case .notAllowed: refusing.onOpen = { peer, open, _ in try peer.refuse(open.handle, .notAllowed) }
    }
    var late = SourceScript(sample)
    late.onRequest = { try $0.answerLate($1, from: $2) }
    let sources = try [lying, refusing, late].map { try FakeSource($0) }
    defer { for source in sources { source.stop() } }
    let (liar, refuser, latecomer) = (sources[0].peerID.hex, sources[1].peerID.hex, sources[2].peerID.hex)

    let peers = [honest.address] + sources.map { "127.0.0.1:\($0.address.port)" }
    let get = try workbench.start(
      ["get", fileID, "-o", "out.bin", "--json", "--chunk-timeout", "\(timeoutSeconds)"]
        + peers.flatMap { ["--peer", $0] })
    try workbench.ended(get, within: Extent.isFull ? 600 : Workbench.patienceSeconds)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    let events = try GetEvents(get)
    #expect(events.named("ban").compactMap { $0["peer"] as? String } == [liar], "\(get)")
    #expect(events.number("failedChunks") == 0 && events.number("downloadedChunks") == 5, "\(get)")
    #expect(events.number("chunks", of: honest.peerID) == 5, "\(get)")
    #expect(events.number("bytes", of: liar) == 0 && events.number("failures", of: liar) == 1, "\(get)")
    #expect(events.number("bytes", of: latecomer) == 0, "\(get)")
    #expect(try #require(events.number("failures", of: latecomer)) >= 1, "\(get)")
    #expect(events.named("retry").allSatisfy { $0["peer"] as? String == latecomer }, "\(get)")
    switch refusal {
    case .busy:
      #expect(events.number("failures", of: refuser) == 0 && events.number("score", of: refuser) == 100, "\(get)")
      #expect(!sources[1].log.requests.isEmpty, "it was not asked")
    case .notAllowed: #expect(events.peer(refuser) == nil, "it never had the file: \(get)")
    }
    #expect(sources[0].log.connections == 1, "a liar is not dialled again")
    #expect(get.stderr.text.contains("[Downloader] Peer \(liar.prefix(8)) is banned: it sent wrong data"), "\(get)")
  }
}
