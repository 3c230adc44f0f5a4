// Sources that violate the protocol get GOODBYE but are not banned, and other sources deliver the file.
import Content
import Posix
import Testing
import TestSupport

@testable import PeerNode
@testable import Wire

@Suite struct BreakingSourceTests {
  /// Frames that are refused as violations.
  static let violations: [SilentSourceTests.Fault] = [
    SilentSourceTests.fault("an unknown even frame") {
      $0.onOpen = { peer, _, _ in try peer.send(frames: frame(type: 0x40, body: [1])) }
    },
    SilentSourceTests.fault("a frame of no bytes") {
      $0.onOpen = { peer, _, _ in try peer.send(frames: [0, 0, 0, 0, 0]) }
    },
    SilentSourceTests.fault("a frame of 4 GiB") {
      $0.onOpen = { peer, _, _ in try peer.send(frames: [255, 255, 255, 255, 4]) }
    },
    SilentSourceTests.fault("DATA before anything was asked for") {
      $0.onOpen = { peer, open, sample in try peer.sendUnaskedData(id: 1, sample) }
    },
    SilentSourceTests.fault("DATA that was not asked for") {
      $0.onRequest = { peer, request, sample in try peer.sendUnaskedData(id: request.id.rawValue + 1, sample) }
    },
    SilentSourceTests.fault("an answer twice") {
      $0.onRequest = { peer, request, sample in
        try peer.send(each: sample.answer(request))
        try peer.send(each: sample.answer(request))
      }
    },
    SilentSourceTests.fault("leaves out of order") {
      $0.onRequest = { peer, request, sample in
        let frames = sample.answer(request)
        try peer.send(frames: frames[0] + frames[frames.count > 2 ? 2 : 0])
      }
    },
    SilentSourceTests.fault("a last DATA that is not the last") {
      $0.onRequest = { peer, request, sample in
        let leaves = LeafRange(first: request.leaves.first, count: 1)
        let bytes = sample.leaves(leaves, of: request.chunk)
        let header = DataHeader(
          id: request.id, leaves: leaves, isLast: request.leaves.count > 1,
          leafHashes: sample.leafHashes(of: request.chunk), byteCount: bytes.count)
        try peer.send(frames: Message.data(header).frame + bytes)
      }
    },
    SilentSourceTests.fault("a leaf that is too short") {
      $0.onRequest = { peer, request, sample in
        let leaves = LeafRange(first: request.leaves.first, count: 1)
        let header = DataHeader(
          id: request.id, leaves: leaves, isLast: false, leafHashes: sample.leafHashes(of: request.chunk),
          byteCount: 1)
        try peer.send(frames: Message.data(header).frame + [0])
      }
    },
    SilentSourceTests.fault("no leaf hashes") {
      $0.onRequest = { peer, request, sample in
        let silent = ChunkRequest(
          id: request.id, handle: request.handle, chunk: request.chunk, leaves: request.leaves, wantsLeafHashes: false)
        try peer.send(each: sample.answer(silent))
      }
    },
    SilentSourceTests.fault("a page that was not asked for") {
      $0.onOpen = { peer, open, sample in
        try peer.offer(sample, as: open.handle)
        for _ in 0..<3 { try peer.send(sample.page(PageGet(handle: open.handle, page: 0))) }
      }
      $0.onPageGet = { _, _, _ in }
    },
    SilentSourceTests.fault("another page than the one asked for") {
      $0.onPageGet = { peer, get, sample in
        try peer.send(
          .page(PageAnswer(handle: get.handle, page: 1, chunkHashes: sample.file.chunkHashes, uncles: [])))
      }
    },
    SilentSourceTests.fault("OPENED twice") {
      $0.onOpen = { peer, open, sample in
        try peer.offer(sample, as: open.handle)
        try peer.offer(sample, as: open.handle)
      }
    },
    SilentSourceTests.fault("OPENED of another handle") {
      $0.onOpen = { try $0.offer($2, as: FileHandle($1.handle.rawValue + 1)) }
    },
    SilentSourceTests.fault("BUSY to what was not asked") {
      $0.onRequest = { peer, request, _ in
        try peer.send(.busy(Busy(id: RequestID(request.id.rawValue + 9), retryAfterMilliseconds: 1)))
      }
    },
    SilentSourceTests.fault("HAVE of a handle that is not open") {
      $0.onOpen = { peer, open, _ in
        let run = LeafRun(chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 1))
        try peer.send(.have(Have(handle: FileHandle(99), runs: [run])))
      }
    },
    SilentSourceTests.fault("WITHDRAWN of a handle that is not open") {
      $0.onOpen = { peer, _, _ in try peer.send(.withdrawn(Withdrawn(handle: FileHandle(99), reason: .removed))) }
    },
    SilentSourceTests.fault("a REQUEST to one that serves nothing") {
      $0.onOpen = { peer, _, _ in try peer.send(peer.requestMessage(0)) }
    },
  ]

  @Test(arguments: violations)
  func `a source that breaks the protocol gets GOODBYE without a ban, and the honest peer sends the file`(
    _ fault: SilentSourceTests.Fault
  ) throws {
    let breaker = try FakeSource(fault.script)
    let honest = try FakeSource(.after(breaker))
    defer { [breaker, honest].forEach { $0.stop() } }
    let fetched = try fetch(from: [breaker.address, honest.address])
    breaker.stop()
    #expect(fetched.output == Sample.common.bytes)
    #expect(fetched.banned == [])
    #expect(breaker.log.goodbyes.first == .protocolError, "\(breaker.log)")
    let first = fetched.ends(of: breaker.address).first
    if case .violation? = first {} else { Issue.record("\(String(describing: first))") }
  }
}

extension ScriptedPeer {
  func sendUnaskedData(id: UInt32, _ sample: Sample) throws {
    let leaves = LeafRange(first: 0, count: 1)
    let header = DataHeader(id: RequestID(id), leaves: leaves, isLast: true, byteCount: 16_384)
    try send(frames: Message.data(header).frame + sample.leaves(leaves, of: ChunkIndex(0)))
  }
}
