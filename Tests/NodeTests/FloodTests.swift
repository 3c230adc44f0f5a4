// Clients that ask for more than they take: what a server holds for them is bounded, and the others are served.
import Content
import Posix
import Testing
import TestSupport

@testable import Node
@testable import Wire

@Suite struct FloodTests {
  /// Far more than a server and two socket buffers hold.
  private static let floodBytes = 64 << 20

  @Test func `the 65th request is answered BUSY, and the 64 before it are served`() throws {
    let samples = try ServedSamples()
    let peer = try samples.client()
    // One record, so that all are asked before the first is answered.
    let requests = (0..<70).flatMap { _ in peer.requestMessage(3, count: 2).frame }
    try peer.send(frames: requests)
    var busy: [UInt32] = []
    var served: [UInt32] = []
    while busy.count + served.count < 70 {
      let (message, leaves) = try peer.receive()
      switch message {
      case .busy(let refusal): busy.append(refusal.id.rawValue)
      case .data(let header):
        #expect(leaves == Sample.common.leaves(LeafRange(first: 0, count: 2), of: ChunkIndex(3)))
        served.append(header.id.rawValue)
      default: Issue.record("\(message)")
      }
    }
    #expect(served == Array(1...64))
    #expect(busy == Array(65...70))
    #expect(try peer.fetch(0, count: 1).count == 16_384, "it goes on afterwards")
  }

  enum Flood: String, CaseIterable { case pings, opens, requests, skipped }

  @Test(arguments: Flood.allCases)
  func `a client that floods and never reads is read no further, and others are served`(_ flood: Flood) throws {
    let samples = try ServedSamples()
    let neighbour = try samples.client()
    let peer = try samples.client()
    let frames: [UInt8]
    switch flood {
    case .pings: frames = repeated(Message.ping(5).frame)
    case .opens: frames = repeated(Message.open(Open(handle: FileHandle(9), bucket: 0, proof: .zero)).frame)
    case .requests:
      // Asked for without end, and answered by BUSY without end.
      frames = (0..<3_000).flatMap { _ in peer.requestMessage(0, count: 64).frame }
    case .skipped: frames = repeated(frame(type: 0x41, body: [UInt8](repeating: 0, count: 2_000)))
    }
    var sent = 0
    while sent < FloodTests.floodBytes {
      let records: [UInt8]
      if flood == .requests && sent > 0 {
        records = peer.seal((0..<3_000).flatMap { _ in peer.requestMessage(0, count: 64).frame })
      } else {
        records = peer.seal(frames)
      }
      let taken = try peer.socket.sendUntilStuck(records, patienceMilliseconds: 300)
      sent += taken
      if taken < records.count { break }
      // The neighbour is served while the flood goes on.
      if sent % (8 << 20) < records.count { #expect(try neighbour.fetch(3, count: 1).count == 16_384) }
    }
    if flood == .skipped {
      #expect(sent >= FloodTests.floodBytes, "what costs no memory is taken")
    } else {
      #expect(sent < FloodTests.floodBytes / 2, "the server stopped reading")
    }
    #expect(try neighbour.fetch(2, count: 4).count == 65_536)
    #expect(try samples.servesNewcomers())
  }

  @Test func `a page is asked for as often as it is taken`() throws {
    let samples = try ServedSamples()
    let peer = try samples.client()
    for _ in 0..<20 {
      try peer.send(frames: (0..<64).flatMap { _ in frame(type: 6, body: big(7) + big(0)) })
      for _ in 0..<64 {
        guard case .page(let page) = try peer.receive().message else {
          Issue.record("no page")
          return
        }
        #expect(page.chunkHashes == Sample.common.file.chunkHashes)
      }
    }
  }

  @Test func `requests that are cancelled are not served`() throws {
    let samples = try ServedSamples()
    let peer = try samples.client()
    var frames: [UInt8] = []
    for id in UInt32(1)...60 {
      frames += peer.requestMessage(0, count: 64).frame
      if id > 1 { frames += Message.cancel(RequestID(id)).frame }
    }
    try peer.send(frames: frames + Message.ping(1).frame)
    var bytes = 0
    while true {
      let (message, leaves) = try peer.receive()
      bytes += leaves.count
      if case .data(let header) = message {
        #expect(header.id == RequestID(1))
        if header.isLast { break }
      }
    }
    #expect(bytes == 1 << 20)
    #expect(samples.server.uploadedBytes == 1 << 20)
  }

  /// Whole frames, as many as fit in one record.
  private func repeated(_ frame: [UInt8]) -> [UInt8] {
    (0..<Record.plaintextByteCountMax / frame.count).flatMap { _ in frame }
  }
}
