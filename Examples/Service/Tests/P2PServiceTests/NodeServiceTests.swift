// A node as a service: what it serves, logs and counts, and how it ends.
import Foundation
import Logging
import MetricsTestKit
import P2P
import ServiceLifecycle
import ServiceLifecycleTestKit
import Testing

@testable import P2PService

@Suite(.timeLimit(.minutes(2))) struct NodeServiceTests {
  private let images: TestFolder
  private let state: TestFolder
  private let copies: TestFolder
  private let log = RecordedLog()
  private let metrics = TestMetrics()
  private let node: Node

  init() throws {
    (images, state, copies) = (try TestFolder(), try TestFolder(), try TestFolder())
    try images.makeFile("disk.img", byteCount: 3_000_000)
    node = try Node(NodeConfiguration(), listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0))
  }

  private func service(folder: String? = nil) -> NodeService {
    NodeService(
      node, folders: [.init(folder ?? images.path, stateFolder: state.path)], logger: log.logger,
      metricsFactory: metrics)
  }

  private func fetch(_ fileID: FileID) async throws -> DownloadResult {
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: node.address?.port ?? 0), pinned: node.peerID)
    let downloader = Downloader(storage: DownloadTarget(folder: copies.path), client: PeerClient(peers: [peer]))
    return try await downloader.downloadFile(fileID)
  }

  /// Whether the node has stopped: its port is free again.
  private func hasStopped() async throws -> Bool {
    let next = try Node(NodeConfiguration(), listen: node.address)
    await next.stop(grace: .zero)
    return true
  }

  @Test func `a service serves its folder until the program shuts down gracefully`() async throws {
    let fileID = try await fileID(of: images.path + "/disk.img")
    let service = service()
    let group = ServiceGroup(services: [service], logger: log.logger)
    async let running: Void = group.run()
    let served = await log.line("a folder is served")
    #expect(served.metadata["files"] == "1" && served.metadata["bytes"] == "3000000")
    #expect(try await fetch(fileID).stats.bytes == 3_000_000)
    await group.triggerGracefulShutdown()
    try await running
    #expect(try await hasStopped())

    let access = await log.line("a peer asks for a file")
    #expect(access.level == .info && access.metadata["path"] == "disk.img")
    #expect("\(access.metadata["peer"] ?? "")".count == 64)
    let sent = await log.line("a peer was sent a file")
    #expect(sent.metadata["path"] == "disk.img" && sent.metadata["bytes"] == "3000000")
    let stopped = await log.line("the node has stopped")
    #expect(stopped.metadata["uploadedBytes"] == "3000000")
    // A peer that knows the ID may read the file, and a log has many readers.
    let text = log.lines.map(\.text).joined(separator: "\n")
    #expect(text.contains(fileID.hex.prefix(8)) && !text.contains(fileID.hex.prefix(9)))

    #expect(try metrics.expectCounter("p2pnode_uploaded_bytes_total").totalValue == 3_000_000)
    #expect(try metrics.expectCounter("p2pnode_opens_total").totalValue == 1)
    #expect(metrics.counterTotal(label: "p2pnode_disconnected_total") == 1)
  }

  @Test func `each counter counts a number once, however often it is recorded`() async throws {
    let share = try await node.share(images.path, stateFolder: state.path)
    let fileID = try #require(try await share.scan().first).fileID
    _ = try await fetch(fileID)
    let recorder = NodeMetrics(metrics)
    let figures = node.figures
    for _ in 0..<3 { recorder.record(figures) }
    #expect(try metrics.expectCounter("p2pnode_uploaded_bytes_total").totalValue == 3_000_000)
    #expect(try metrics.expectCounter("p2pnode_established_total").totalValue == 1)
    #expect(try metrics.expectGauge("p2pnode_file_bytes").lastValue == 3_000_000)
    #expect(try metrics.expectGauge("p2pnode_scanning").lastValue == 0)
    await node.stop(grace: .zero)
  }

  @Test func `cancellation stops the node`() async throws {
    let service = service()
    let running = Task { try await service.run() }
    await log.line("a folder is served")
    running.cancel()
    try await running.value
    #expect(try await hasStopped())
  }

  @Test func `a graceful shutdown right after the start ends the service`() async throws {
    let service = service()
    try await testGracefulShutdown { trigger in
      trigger.triggerGracefulShutdown()
      try await service.run()
    }
    #expect(try await hasStopped())
  }

  @Test func `a service ends when the program stops its node`() async throws {
    let service = service()
    async let running: Void = service.run()
    await log.line("the node runs")
    await node.stop(grace: .zero)
    try await running
  }

  @Test func `if a folder cannot be served, the service and its node end`() async throws {
    let service = service(folder: images.path + "/missing")
    await #expect(throws: ServerError.self) { try await service.run() }
    #expect(try await hasStopped())
    let line = await log.line("a folder cannot be served")
    #expect(line.level == .error && "\(line.metadata["folder"] ?? "")".hasSuffix("/missing"))
  }
}

@Suite struct NodeLogTests {
  private let recorded = RecordedLog()
  private let peer = StaticIdentity(secret: .random()).peerID
  private let address = Endpoint(ipv4: (192, 0, 2, 1), port: 9800)

  private func line(_ event: NodeEvent) -> RecordedLog.Line? {
    NodeLog(recorded.logger).note(event)
    return recorded.lines.last
  }

  @Test func `names and messages of peers cannot add lines to the log`() {
    let opened = line(.opened(peer, address, path: "a\nerror: b\u{1B}[2J"))
    #expect(opened?.metadata["path"] == #"a\nerror: b\u{1B}[2J"#)
    let ended = line(.disconnected(peer, address, .remote(.shuttingDown, "x\ny")))
    #expect(ended?.metadata["reason"] == #"it said: shutting down (x\ny)"#)
    let turnedAway = line(.turnedAway(address, .remote(.shuttingDown, "x\ry")))
    #expect(turnedAway?.metadata["reason"] == #"it said: shutting down (x\ry)"#)
  }

  @Test func `the level of a log line follows from what a person must do about it`() {
    #expect(line(.connected(peer, address))?.level == .debug)
    #expect(line(.turnedAway(address, .silent))?.level == .debug)
    #expect(line(.disconnected(peer, address, .truncated))?.level == .debug)
    #expect(line(.disconnected(peer, address, .lied("a leaf")))?.level == .warning)
    #expect(line(.withdrawn(path: "a", "it has changed"))?.level == .notice)
    #expect(line(.notDiscoverable("no multicast"))?.level == .warning)
    #expect(line(.cannotAccept(Errno(code: 24, call: "accept4")))?.level == .error)
  }

  @Test func `the log reports how many events were lost, each time that events are lost`() async {
    let events = AsyncStream<NodeEvent> { continuation in
      for _ in 0..<4 { continuation.yield(.connected(peer, address)) }
      continuation.finish()
    }
    var lost = [0, 5, 5, 7].makeIterator()
    await NodeLog(recorded.logger).follow(events) { lost.next() ?? 7 }
    let lines = recorded.lines.filter { $0.level == .warning }
    #expect(
      lines.map(\.text) == ["warning events of peers were lost count=5", "warning events of peers were lost count=2"])
  }
}
