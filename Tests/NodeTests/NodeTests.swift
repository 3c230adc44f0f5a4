// One node with several folders and downloads at the same time, with one listener and one PeerID.
import Content
import Foundation
import Posix
import Storage
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

/// A node on a free loopback port, for one test.
final class TestNode {
  let node: Node
  let events = EventLog()
  private let state = TemporaryFolder()
  private var folders: [TemporaryFolder] = []
  private let running = Monitor<[Download]>([])
  private let watchdog: Watchdog

  /// - `listens`: whether other nodes can dial it.
  init(listens: Bool = true) throws {
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 2
    let events = self.events
    node = try Node(configuration, listen: listens ? .loopback(0) : nil) { events.add($0) }
    let running = running
    watchdog = Watchdog(seconds: 120) { for download in running.change({ $0 }) { download.cancel() } }
  }

  deinit { node.shutDown(grace: .zero) }

  /// The node as a peer for other nodes.
  var source: PeerSource { PeerSource(host: HostPort(host: "127.0.0.1", port: node.address!.port)) }

  /// Serves samples in a new folder.
  @discardableResult func share(_ samples: [Sample]) throws -> FolderShare {
    let folder = TemporaryFolder()
    folders.append(folder)
    for sample in samples { folder.write(sample.name, sample.bytes) }
    let share = try node.share(folder.path, stateFolder: state.path)
    try share.scan { _ in }
    return share
  }

  func download(
    _ sample: Sample, from sources: [PeerSource], into folder: TemporaryFolder, stay: Sharing.Stay? = nil
  ) -> Download {
    let download = node.download(
      sample.fileID, from: sources, to: DownloadTarget(folder: folder.path), stay: stay)
    running.change { $0.append(download) }
    return download
  }
}

private final class Counter: Sendable {
  private let value = Monitor(0)
  var count: Int { value.change { $0 } }
  func add() { value.change { $0 += 1 } }
}

@Suite struct PeerNodeTests {
  @Test func `a node serves a folder and fetches three files at once from different peers`() throws {
    let samples = PeerNodeSamples.all
    let own = Sample("own.bin", byteCount: 2 << 20, seed: 9)
    let sources = try [[samples[0], samples[1]], [samples[1], samples[2]], [samples[2]]].map { samples in
      let source = try TestNode()
      try source.share(samples)
      return source
    }
    let both = try TestNode()
    try both.share([own])
    let copies = TemporaryFolder()
    let downloads = samples.map { both.download($0, from: sources.map(\.source), into: copies) }
    // At the same time another node fetches from the folder, through the same listener.
    let getter = try TestNode(listens: false)
    let copied = try getter.download(own, from: [both.source], into: copies).wait()
    #expect(copied.stats.peers.map(\.peer) == [both.node.peerID])
    for (download, sample) in zip(downloads, samples) {
      let stats = try download.wait().stats
      #expect(copies.read(sample.name) == sample.bytes && stats.downloadedChunks == 3)
    }
    #expect(copies.read(own.name) == own.bytes)
    // Each source has one connection of the node, even if it has several of the files.
    for source in sources {
      #expect(source.node.figures.established == 1)
      let first = source.events.next { if case .connected = $0 { true } else { false } }
      guard case .connected(both.node.peerID, _)? = first else {
        Issue.record("\(String(describing: first))")
        return
      }
    }
  }

  @Test func `two nodes that fetch different files from each other share one connection`() throws {
    let (a, b) = (try TestNode(), try TestNode())
    try a.share([PeerNodeSamples.all[0]])
    try b.share([PeerNodeSamples.all[1]])
    let copies = TemporaryFolder()
    let first = a.download(PeerNodeSamples.all[1], from: [b.source], into: copies)
    let second = b.download(PeerNodeSamples.all[0], from: [a.source], into: copies)
    _ = try (first.wait(), second.wait())
    #expect(copies.read("file-1.bin") == PeerNodeSamples.all[0].bytes)
    #expect(copies.read("file-2.bin") == PeerNodeSamples.all[1].bytes)
  }

  @Test func `a content is opened only at peers that were named for it`() throws {
    let (one, two) = (try TestNode(), try TestNode())
    try one.share([PeerNodeSamples.all[0]])
    try two.share([PeerNodeSamples.all[1], PeerNodeSamples.all[0]])
    let getter = try TestNode()
    let copies = TemporaryFolder()
    let first = getter.download(PeerNodeSamples.all[0], from: [one.source], into: copies)
    let second = getter.download(PeerNodeSamples.all[1], from: [two.source], into: copies)
    #expect(try first.wait().stats.peers.map(\.peer) == [one.node.peerID])
    #expect(try second.wait().stats.peers.map(\.peer) == [two.node.peerID])
    #expect(one.node.figures.opens == 1 && two.node.figures.opens == 1)
  }

  @Test func `a second download of a file that the node already downloads fails at once`() throws {
    let getter = try TestNode()
    let sample = PeerNodeSamples.all[0]
    var silence = SourceScript(sample)
    silence.onRequest = { _, _, _ in }
    let source = try FakeSource(silence)
    defer { source.stop() }
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port))
    let folder = TemporaryFolder()
    let first = getter.download(sample, from: [peer], into: folder)
    #expect(throws: DownloadError.self) { try getter.download(sample, from: [peer], into: folder).wait() }
    #expect(!first.isOver)
    first.cancel()
    #expect(throws: DownloadError.self) { try first.wait() }
  }

  @Test func `a removed folder is no longer served, and its peers are notified`() throws {
    let server = try TestNode()
    let (first, second) = (try server.share([.common]), try server.share([.small, Sample.common]))
    let peer = try ScriptedPeer(dialling: server.node.address!)
    guard case .opened = try peer.open(Sample.common.fileID) else {
      Issue.record("no answer")
      return
    }
    first.remove()
    #expect(try peer.fetch(0, count: 4) == Sample.common.leaves(LeafRange(first: 0, count: 4), of: ChunkIndex(0)))
    second.remove()
    var reason: Withdrawn.Reason?
    while reason == nil { if case .withdrawn(let withdrawn) = try peer.receive().message { reason = withdrawn.reason } }
    #expect(reason == .notOffered)
    #expect(server.node.figures.files == 0)
  }

  @Test func `a finished file is offered beside the folders until it is cancelled`() throws {
    let (source, relay) = (try TestNode(), try TestNode())
    try source.share([PeerNodeSamples.all[0]])
    try relay.share([.small])
    let output = TemporaryFolder()
    let staying = relay.download(
      PeerNodeSamples.all[0], from: [source.source], into: output, stay: .untilCancelled)
    while let update = staying.queue.take() { if case .staying = update { break } }
    source.node.shutDown(grace: .zero)
    let copies = TemporaryFolder()
    let getter = try TestNode()
    _ = try getter.download(PeerNodeSamples.all[0], from: [relay.source], into: copies).wait()
    #expect(copies.read("file-1.bin") == PeerNodeSamples.all[0].bytes)
    staying.cancel()
    #expect(try staying.wait().stats.uploadedBytes == 3 << 20)
    let late = getter.download(PeerNodeSamples.all[0], from: [relay.source], into: TemporaryFolder())
    guard case .failure(.failed(.notFound, _, _)) = late.outcome else {
      Issue.record("it is still offered")
      return
    }
  }

  /// Returns a source of two samples. `onOpen` may do something else than open a sample.
  private func source(
    _ samples: [Sample], onConnect: @escaping @Sendable () -> Void = {},
    onOpen: @escaping @Sendable (ScriptedPeer, Open) throws -> Bool
  ) throws -> FakeSource {
    var script = SourceScript(samples[0])
    script.onConnect = { _ in onConnect() }
    script.onOpen = { peer, open, _ in
      guard try onOpen(peer, open) else { return }
      guard let sample = samples.first(where: { FileKey($0.fileID, swarm: nil).bucket == open.bucket }) else { return }
      try peer.offer(sample, as: open.handle)
    }
    return try FakeSource(script)
  }

  @Test func `cancelling a download that dials does not end others that wait for the connection`() throws {
    let server = try TestNode()
    try server.share(PeerNodeSamples.all)
    let getter = try TestNode(listens: false)
    let copies = TemporaryFolder()
    // Each first download is cancelled at some point between its dial and its first chunk.
    for round in 0..<5 {
      let cancelled = getter.download(PeerNodeSamples.all[0], from: [server.source], into: copies)
      let other = getter.download(PeerNodeSamples.all[1], from: [server.source], into: copies)
      for _ in 0..<round { _ = cancelled.numbers }
      cancelled.cancel()
      #expect(try other.wait().stats.totalChunks == 3)
      _ = cancelled.outcome
    }
  }

  @Test func `a download on a shared connection that ends at its OPEN dials for itself`() throws {
    let samples = PeerNodeSamples.all
    let connections = Counter()
    // As if the peer had restarted: it no longer knows the connection when the second OPEN arrives.
    let source = try source(samples, onConnect: { connections.add() }) { _, open in
      if open.handle == FileHandle(2) { throw SocketEnd.endOfStream }
      return true
    }
    defer { source.stop() }
    let getter = try TestNode(listens: false)
    let (copies, others) = (TemporaryFolder(), TemporaryFolder())
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port))
    let first = getter.download(samples[0], from: [peer], into: copies)
    while let update = first.queue.take() { if case .prepared = update { break } }
    let second = getter.download(samples[1], from: [peer], into: others)
    while let update = second.queue.take() { if case .prepared = update { break } }
    #expect(!second.isOver && connections.count >= 2)
    second.cancel()
    _ = second.outcome
  }

  @Test func `a hundred downloads run at once`() async {
    await #expect(processExitsWith: .success) {
      let samples = (0..<100).map { Sample("file-\($0).bin", byteCount: 70_000 + $0, seed: UInt64($0)) }
      let source = try TestNode()
      try source.share(samples)
      let getter = try TestNode(listens: false)
      let copies = TemporaryFolder()
      let downloads = samples.map { getter.download($0, from: [source.source], into: copies) }
      for download in downloads { _ = try download.wait() }
      for sample in samples { try #require(copies.read(sample.name) == sample.bytes) }
      try #require(source.node.figures.established == 1, "one connection carries all contents")
      let threads = try downloadThreadNames()
      try #require(threads.count { $0 == "p2p-control" } == 1)
      try #require(threads.count { $0.hasPrefix("p2p-verify-") } <= max(2, min(Thread.processorCount, 8)))
      try #require(threads.count { $0.hasPrefix("p2p-disk-") } <= DiskPool.threadsMax, "\(threads)")
    }
  }
}
