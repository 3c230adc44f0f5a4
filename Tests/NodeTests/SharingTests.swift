// A download serves what it has to peers that know its file, and fetches from them over the same connection.
import Content
import Posix
import Storage
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

@Suite struct SharingTests {
  /// Each chunk has 64 leaves.
  private static let even = Sample("even.bin", byteCount: 3 << 20, seed: 3)

  /// A source that answers the first request with four leaves and then sends nothing.
  private struct Miser {
    let source: FakeSource
    private let requests = BlockingQueue<ChunkRequest>()
    private let goodbye = BlockingQueue<CloseCode>()

    /// - `waits`: whether it waits, after the first request, for the code of the GOODBYE to send.
    init(_ sample: Sample = .common, as identity: StaticIdentity = .random(), waits: Bool = false) throws {
      var script = SourceScript()
      script.sample = sample
      let (requests, goodbye) = (requests, goodbye)
      script.onRequest = { peer, request, sample in
        if request.id == RequestID(1) { try peer.send(frames: sample.answer(request)[0]) }
        requests.put(request)
        if waits, let code = goodbye.take() { try peer.send(.goodbye(Goodbye(code: code, text: ""))) }
      }
      source = try FakeSource(script, identity: identity)
    }

    /// Makes the source send GOODBYE.
    func close(_ code: CloseCode) { goodbye.put(code) }

    func end() { goodbye.close() }

    func firstRequest() throws -> ChunkRequest {
      let requests = self.requests
      let watchdog = Watchdog(seconds: 60) { requests.close() }
      defer { withExtendedLifetime(watchdog) {} }
      return try #require(requests.take())
    }
  }

  @Test func `a download announces and serves its verified leaves with their hashes, and no others`() throws {
    let miser = try Miser(SharingTests.even)
    let getter = try SharingGetter(SharingTests.even.fileID, from: [miser.source.address])
    defer {
      getter.cancel()
      miser.source.stop()
    }
    let chunk = try miser.firstRequest().chunk
    let held = LeafRange(first: 0, count: 4)
    let peer = try getter.dial()
    try peer.openPart(of: SharingTests.even.fileID, until: LeafRun(chunk: chunk, leaves: held))
    try peer.send(.pageGet(PageGet(handle: ScriptedPeer.handle, page: 0)))
    guard case .page(let page) = try peer.answer() else {
      Issue.record("no page")
      return
    }
    #expect(page.chunkHashes == SharingTests.even.file.chunkHashes)
    try peer.send(peer.requestMessage(chunk.rawValue, first: 0, count: 4, hashes: true))
    let (message, bytes) = try peer.answerWithLeaves()
    guard case .data(let header) = message else {
      Issue.record("no data: \(message)")
      return
    }
    #expect(bytes == SharingTests.even.leaves(held, of: chunk))
    #expect(header.leafHashes == SharingTests.even.leafHashes(of: chunk))
    for missing in [
      peer.requestMessage(chunk.rawValue, first: 3, count: 2), peer.requestMessage((chunk.rawValue + 1) % 3),
    ] {
      try peer.send(missing)
      guard case .busy(let busy) = try peer.answer(), case .request(let request) = missing else {
        Issue.record("not BUSY")
        return
      }
      #expect(busy.id == request.id)
    }
    // The download ends. No peer is blamed for unanswered requests.
    getter.cancel()
    #expect(try peer.answer() == .withdrawn(Withdrawn(handle: ScriptedPeer.handle, reason: .notOffered)))
    #expect(try peer.receiveGoodbye()?.code == .done)
  }

  @Test func `a download without any data answers an OPEN when it has some, and refuses another file`() throws {
    let go = BlockingQueue<Void>()
    var script = SourceScript()
    script.onOpen = { peer, open, sample in
      _ = go.take()
      try peer.offer(sample, as: open.handle)
    }
    let source = try FakeSource(script)
    let getter = try SharingGetter(from: [source.address])
    defer {
      go.close()
      getter.cancel()
      source.stop()
    }
    let peer = try getter.dial()
    try peer.send(peer.openMessage(Sample.common.fileID))
    try peer.send(.ping(7))
    #expect(try peer.answer() == .pong(7))
    try peer.send(peer.openMessage(Sample.small.fileID, handle: FileHandle(8)))
    #expect(try peer.answer() == .opened(Opened(handle: FileHandle(8), outcome: .refused(.noSuchFile))))
    go.put(())
    guard case .opened(let opened) = try peer.answer(), case .opened = opened.outcome else {
      Issue.record("not opened")
      return
    }
    #expect(opened.handle == ScriptedPeer.handle)
    _ = try getter.ended()
  }

  @Test func `a peer that dials a download and knows its file is fetched from over that connection`() throws {
    let never = BlockingQueue<Void>()
    var script = SourceScript()
    script.onOpen = { _, _, _ in _ = never.take() }
    let source = try FakeSource(script)
    let getter = try SharingGetter(from: [source.address])
    defer {
      never.close()
      getter.cancel()
      source.stop()
    }
    let peer = try getter.dial()
    try peer.send(peer.openMessage(Sample.common.fileID))
    // The peer acts as the seed.
    serving: while true {
      switch try peer.receive().message {
      case .open(let open): try peer.offer(Sample.common, as: open.handle)
      case .pageGet(let get): try peer.send(Sample.common.page(get))
      case .request(let request): try peer.send(each: Sample.common.answer(request))
      case .withdrawn, .goodbye: break serving
      default: break
      }
    }
    let result = try getter.ended()
    #expect(getter.folder.read(Sample.common.name) == Sample.common.bytes)
    #expect(result.stats.peers.map(\.bytes) == [UInt64(Sample.common.bytes.count)])
  }

  @Test func `a finished download closes the file, and keeps serving on that connection`() throws {
    let never = BlockingQueue<Void>()
    var script = SourceScript()
    script.onOpen = { _, _, _ in _ = never.take() }
    let source = try FakeSource(script)
    let getter = try SharingGetter(from: [source.address], stay: .untilCancelled)
    defer {
      never.close()
      getter.cancel()
      source.stop()
    }
    let peer = try getter.dial()
    try peer.send(peer.openMessage(Sample.common.fileID))
    var opened: FileHandle?
    var closed: FileHandle?
    while closed == nil {
      switch try peer.receive().message {
      case .open(let open):
        opened = open.handle
        try peer.offer(Sample.common, as: open.handle)
      case .pageGet(let get): try peer.send(Sample.common.page(get))
      case .request(let request): try peer.send(each: Sample.common.answer(request))
      case .close(let handle): closed = handle
      default: break
      }
    }
    #expect(closed == opened)
    // These messages were in transit when the download ended.
    let run = LeafRun(chunk: ChunkIndex(0), leaves: LeafRange(first: 0, count: 1))
    try peer.send(.have(Have(handle: try #require(closed), runs: [run])))
    try peer.send(peer.requestMessage(0))
    while true {
      guard case (.data, let leaves) = try peer.receive() else { continue }
      #expect(leaves == Sample.common.leaves(LeafRange(first: 0, count: 1), of: ChunkIndex(0)))
      break
    }
  }

  @Test func `other peers are told of a peer that was fetched from, even after it closed the file`() throws {
    let miser = try Miser()
    let getter = try SharingGetter(from: [miser.source.address])
    defer {
      getter.cancel()
      miser.source.stop()
    }
    _ = try miser.firstRequest()
    let identity = StaticIdentity.random()
    let peer = try ScriptedPeer(dialling: getter.address, as: identity, listenPort: 4001)
    try peer.send(peer.openMessage(Sample.common.fileID))
    var awaited: Set<FrameType> = [.open, .opened]
    while !awaited.isEmpty {
      let message = try peer.receive().message
      if case .open(let open) = message { try peer.offer(Sample.common, as: open.handle) }
      awaited.remove(message.type)
    }
    try peer.send(.close(ScriptedPeer.handle))
    try peer.send(.ping(1))
    while try peer.receive().message != .pong(1) {}
    let other = try getter.dial()
    try other.send(other.openMessage(Sample.common.fileID))
    var told: PeerExchange?
    while told == nil { if case .peers(let peers) = try other.receive().message { told = peers } }
    let entries = try #require(told).entries
    #expect(entries.contains { $0.peer == identity.peerID && $0.port == 4001 })
  }

  @Test func `a peer that does not know the file is asked for nothing`() throws {
    let miser = try Miser()
    let getter = try SharingGetter(from: [miser.source.address])
    defer {
      getter.cancel()
      miser.source.stop()
    }
    let peer = try getter.dial()
    try peer.send(peer.openMessage(Sample.small.fileID))
    #expect(
      try peer.receive().message
        == .opened(Opened(handle: ScriptedPeer.handle, outcome: .refused(.noSuchFile))))
    try peer.send(.ping(1))
    #expect(try peer.receive().message == .pong(1))
  }

  @Test func `a finished file is offered as complete until it is cancelled`() throws {
    let served = try ServedSamples()
    let getter = try SharingGetter(from: [served.address], stay: .untilCancelled)
    _ = try #require(getter.update { if case .staying = $0 { true } else { false } })
    let peer = try getter.dial()
    guard case .opened(let opened) = try peer.open(Sample.common.fileID), case .opened(let file) = opened.outcome else {
      Issue.record("not opened")
      return
    }
    #expect(file.availability == .complete && file.suggestedName == Sample.common.name)
    for chunk in 0..<UInt32(Sample.common.layout.chunkCount) {
      let leaves = Sample.common.layout.leaves(of: ChunkIndex(chunk))
      #expect(try peer.fetch(chunk, count: leaves.count) == Sample.common.leaves(leaves, of: ChunkIndex(chunk)))
    }
    getter.cancel()
    let result = try getter.ended()
    #expect(result.stats.uploadedBytes == UInt64(Sample.common.bytes.count))
  }

  @Test func `a file that was already complete is offered too`() throws {
    let served = try ServedSamples()
    let getter = try SharingGetter(from: [served.address], stay: .untilCancelled)
    _ = try #require(getter.update { if case .staying = $0 { true } else { false } })
    getter.cancel()
    _ = try getter.ended()
    let again = try SharingGetter(from: [served.address], stay: .untilCancelled, into: getter.folder)
    guard case .staying(let result)? = again.update({ if case .staying = $0 { true } else { false } }) else {
      Issue.record("it does not stay")
      return
    }
    #expect(result.wasFound)
    let peer = try again.dial()
    _ = try peer.open(Sample.common.fileID)
    try peer.send(.pageGet(PageGet(handle: ScriptedPeer.handle, page: 0)))
    guard case .page(let page) = try peer.answer() else {
      Issue.record("no page")
      return
    }
    #expect(page.chunkHashes == Sample.common.file.chunkHashes)
    try peer.send(peer.requestMessage(1, first: 60, count: 4, hashes: true))
    let (message, bytes) = try peer.answerWithLeaves()
    guard case .data(let header) = message else {
      Issue.record("no data")
      return
    }
    #expect(header.leafHashes == Sample.common.leafHashes(of: ChunkIndex(1)))
    #expect(bytes == Sample.common.leaves(LeafRange(first: 60, count: 4), of: ChunkIndex(1)))
  }

  @Test func `leaf hashes of a found file are hashed once each, and not for every chunk of which a peer asks a leaf`()
    throws
  {
    // Its leaf hashes are not in memory, so the first answer for a chunk makes the node hash all of the chunk.
    let sample = Sample("forty.bin", bytes: Array(repeating: 1, count: 40 << 20))
    let served = try ServedSamples([sample])
    let folder = TemporaryFolder()
    folder.write(sample.name, sample.bytes)
    let getter = try SharingGetter(sample.fileID, from: [served.address], stay: .untilCancelled, into: folder)
    guard case .staying(let result)? = getter.update({ if case .staying = $0 { true } else { false } }) else {
      Issue.record("it does not stay")
      return
    }
    #expect(result.wasFound)
    let peer = try getter.dial()
    _ = try peer.open(sample.fileID)
    /// Asks for one leaf of a chunk. True if it came, with the hashes.
    func isAnswered(_ chunk: UInt32) throws -> Bool {
      try peer.send(peer.requestMessage(chunk, hashes: true))
      switch try peer.answerWithLeaves().message {
      case .data(let header):
        #expect(header.leafHashes == sample.leafHashes(of: ChunkIndex(chunk)))
        return true
      case .busy: return false
      case let other:
        Issue.record("\(other)")
        return false
      }
    }
    let began = Clock.monotonicNanoseconds
    var answered = 0
    for chunk in 0..<40 as Range<UInt32> where try isAnswered(chunk) { answered += 1 }
    // At once 16 MiB, for 17 leaves of 16 KiB that were sent 1 MiB, and 1 MiB a second.
    #expect(
      answered >= 17 && answered <= 18 + Int((Clock.monotonicNanoseconds - began) / 1_000_000_000), "\(answered) of 40")
    for chunk in 0..<16 as Range<UInt32> { #expect(try isAnswered(chunk)) }
  }

  @Test func `a finished file that changes while it is offered is withdrawn`() throws {
    let served = try ServedSamples()
    let getter = try SharingGetter(from: [served.address], stay: .untilCancelled)
    _ = try #require(getter.update { if case .staying = $0 { true } else { false } })
    let peer = try getter.dial()
    _ = try peer.open(Sample.common.fileID)
    getter.folder.write(Sample.common.name, Sample.common.bytes.map { $0 ^ 1 })
    try peer.send(peer.requestMessage(0, count: 4))
    guard case .withdrawn(let withdrawn) = try peer.answer() else {
      Issue.record("not withdrawn")
      return
    }
    #expect(withdrawn.reason == .changed)
    _ = try getter.ended()
  }

  @Test func `downloads that share one source all get the correct bytes`() throws {
    let served = try ServedSamples()
    let first = try SharingGetter(from: [served.address])
    let others = try (0..<3).map { _ in try SharingGetter(from: [served.address, first.address]) }
    for getter in [first] + others {
      _ = try getter.ended()
      #expect(getter.folder.read(Sample.common.name) == Sample.common.bytes)
    }
  }

  @Test func `of two connections dialled from both ends the one dialled by the smaller PeerID stays`() throws {
    let identities = [StaticIdentity.random(), .random()].sorted { $0.peerID < $1.peerID }
    for isSmaller in [true, false] {
      let (own, other) = (identities[isSmaller ? 0 : 1], identities[isSmaller ? 1 : 0])
      let miser = try Miser(as: other, waits: !isSmaller)
      let getter = try SharingGetter(from: [miser.source.address], as: own)
      defer {
        getter.cancel()
        miser.end()
        miser.source.stop()
      }
      _ = try miser.firstRequest()
      let peer = try getter.dial(as: other)
      try peer.send(peer.openMessage(Sample.common.fileID))
      if isSmaller {
        #expect(try peer.receiveGoodbye()?.code == .duplicateConnection)
      } else {
        guard case .opened = try peer.receive().message else {
          Issue.record("it fetches over a second connection")
          continue
        }
        // The other end, with the smaller PeerID, closes the first connection. The second replaces it without blame.
        miser.close(.duplicateConnection)
        while true { if case .open = try peer.receive().message { break } }
      }
    }
  }
}
