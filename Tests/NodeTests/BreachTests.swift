// A client that sends forbidden frames gets GOODBYE with code 2. Other clients are not affected.
import Content
import Posix
import Testing
import TestSupport

@testable import PeerNode
@testable import Wire

@Suite struct BreachTests {
  /// Frames after an OPEN of the common sample that violate the protocol.
  static let breaches: [(name: String, frames: @Sendable (ScriptedPeer) -> [UInt8])] = {
    @Sendable func request(
      _ id: UInt32, _ handle: UInt32, _ chunk: UInt32, _ first: UInt8, _ count: UInt8, flags: UInt8 = 0
    ) -> [UInt8] {
      frame(type: 0x0A, body: big(id) + big(handle) + big(chunk) + [first, count, flags])
    }
    return [
      ("a handle that was never open", { _ in request(1, 8, 0, 0, 1) }),
      ("a page of a handle that was never open", { _ in frame(type: 6, body: big(8) + big(0)) }),
      ("a page that the file has not", { _ in frame(type: 6, body: big(7) + big(1)) }),
      ("the last page of all", { _ in frame(type: 6, body: big(7) + big(.max)) }),
      ("a chunk beyond the file", { _ in request(1, 7, 4, 0, 1) }),
      ("the last chunk of all", { _ in request(1, 7, .max, 0, 1) }),
      ("a leaf beyond the chunk", { _ in request(1, 7, 3, 2, 1) }),
      ("leaves that lead out of the chunk", { _ in request(1, 7, 3, 1, 2) }),
      ("a leaf that no chunk has", { _ in request(1, 7, 0, 64, 1) }),
      ("leaves that no chunk has", { _ in request(1, 7, 0, 255, 255) }),
      ("no leaves", { _ in request(1, 7, 0, 0, 0) }),
      ("an unknown flag", { _ in request(1, 7, 0, 0, 1, flags: 2) }),
      ("an id twice", { _ in request(5, 7, 0, 0, 1) + request(5, 7, 0, 0, 1) }),
      ("an id that falls", { _ in request(.max, 7, 0, 0, 1) + request(0, 7, 0, 0, 1) }),
      ("a handle in use", { $0.openMessage(Sample.common.fileID).frame }),
      ("OPENED to one that opened nothing", { _ in frame(type: 4, body: big(7) + [1]) }),
      (
        "PAGE to one that opened nothing",
        { _ in
          Message.page(PageAnswer(handle: FileHandle(7), page: 0, chunkHashes: [.zero], uncles: [])).frame
        }
      ),
      ("DATA to one that asked nothing", { _ in frame(type: 0x0C, body: big(1) + [0, 1, 2, 0]) }),
      ("BUSY to one that asked nothing", { _ in frame(type: 0x10, body: big(1) + big(1)) }),
      ("WITHDRAWN to one that opened nothing", { _ in frame(type: 0x16, body: big(7) + [1]) }),
      ("HAVE to one that opened nothing", { _ in frame(type: 0x12, body: big(7) + [0, 1] + big(0) + [0, 1]) }),
      ("BITMAP to one that opened nothing", { _ in frame(type: 0x14, body: big(7) + big(0) + big(1) + [128]) }),
      ("PEERS to one that opened nothing", { _ in frame(type: 0x18, body: big(7) + [0]) }),
      ("an unknown even type", { _ in frame(type: 0x20, body: []) }),
      ("type 0", { _ in frame(type: 0, body: []) }),
      ("a PING that is too short", { _ in frame(type: 0x1A, body: [1]) }),
      ("a frame of no bytes", { _ in big(0) }),
      ("a frame of 4 GiB", { _ in big(.max) + [2] }),
      ("an OPEN of 64 KiB", { _ in big(65_536) + [2] }),
      (
        "65 pages at a time",
        { _ in
          (0..<65).flatMap { _ in frame(type: 6, body: big(7) + big(0)) }
        }
      ),
    ]
  }()

  @Test(arguments: breaches.indices)
  func `a protocol breach ends that connection with GOODBYE and no other connection`(_ index: Int) throws {
    let samples = try ServedSamples()
    let neighbour = try samples.client()
    let peer = try samples.client()
    let breach = BreachTests.breaches[index]
    try peer.send(frames: breach.frames(peer))
    #expect(try peer.receiveGoodbye()?.code == .protocolError, "\(breach.name)")
    #expect(throws: SocketEnd.self) { try peer.receive() }
    let leaves = LeafRange(first: 0, count: 2)
    #expect(try neighbour.fetch(3, count: 2) == Sample.common.leaves(leaves, of: ChunkIndex(3)))
  }
}

func big(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) } }
