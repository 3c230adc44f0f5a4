// Clients that request more than they receive. What a server holds for them is bounded, and other clients are served.
import Content
import Posix
import Testing
import TestSupport
import Transfer

@testable import PeerNode
@testable import Wire

@Suite struct FloodTests {
  /// Far more than a server and two socket buffers can hold.
  private static let floodBytes = 64 << 20

  @Test func `the 65th request gets BUSY, and the 64 before it are served`() throws {
    let samples = try ServedSamples()
    let peer = try samples.client()
    // One record, so that all requests arrive before the first is answered.
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

  enum RefusedFlood: String, CaseIterable { case pings, opens }

  @Test(arguments: RefusedFlood.allCases)
  func `a flood of PINGs, or of OPENs for unknown files, is refused`(_ flood: RefusedFlood) throws {
    let samples = try ServedSamples()
    let peer = try samples.client()
    let open = Message.open(Open(handle: FileHandle(9), bucket: 0, proof: .zero))
    try peer.send(frames: FloodTests.repeated((flood == .pings ? .ping(5) : open).frame))
    var answers = 0
    while true {
      let message = try peer.receive().message
      if let code = message.goodbyeCode {
        #expect(code == .protocolError)
        break
      }
      answers += 1
    }
    #expect(answers <= ProtocolLimits.missedOpensAtOnce)
    #expect(try samples.servesNewcomers())
  }

  @Test func `all peers that do not read together hold at most the node's bound, and a reading one is served`() throws {
    let bound = 2 << 20
    let samples = try ServedSamples(connectionsMax: 200, outboxesBytesMax: bound)
    let reader = try samples.client()
    var peers: [ScriptedPeer] = []
    var most = 0
    for _ in 0..<64 {
      let peer = try samples.client()
      try peer.send(frames: (0..<64).flatMap { _ in peer.requestMessage(0, count: 64).frame })
      peers.append(peer)
      most = max(most, samples.server.context.outboxes.byteCount)
    }
    let end = samples.event { if case .disconnected(_, _, .local(.tooSlow, _)) = $0 { true } else { false } }
    #expect(end != nil, "they would hold twice as much")
    for _ in 0..<20 {
      #expect(try reader.fetch(1, count: 4).count == 65_536)
      most = max(most, samples.server.context.outboxes.byteCount)
    }
    // Each loop may seal one more piece while there is still a little room.
    #expect(most > bound / 2 && most <= bound + 2 * OutboxBudget.pieceBytesMax)
    withExtendedLifetime(peers) {}
  }

  enum Flood: String, CaseIterable { case requests, skipped }

  @Test(arguments: Flood.allCases)
  func `the node stops reading a client that floods and never reads, and serves others`(_ flood: Flood) throws {
    let samples = try ServedSamples()
    let neighbour = try samples.client()
    let peer = try samples.client()
    let frames: [UInt8]
    switch flood {
    case .requests:
      // Requests without end, answered by BUSY without end.
      frames = (0..<3_000).flatMap { _ in peer.requestMessage(0, count: 64).frame }
    case .skipped: frames = FloodTests.repeated(frame(type: 0x41, body: [UInt8](repeating: 0, count: 2_000)))
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
      // The neighbour is served while the flood continues.
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

  @Test func `a page is sent as often as a peer requests and takes it`() throws {
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

  @Test func `cancelled requests are not served`() throws {
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

  /// As many copies of a frame as fit in one record.
  private static func repeated(_ frame: [UInt8]) -> [UInt8] {
    (0..<Record.plaintextByteCountMax / frame.count).flatMap { _ in frame }
  }
}
