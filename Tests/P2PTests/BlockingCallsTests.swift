// Async versions of blocking calls. They give the same results, and end when their task is cancelled.
import Foundation
import P2P
import TestSupport
import Testing

/// A server that takes long to send its only file.
struct SlowServer {
  let server: Server
  let fileID: FileID
  var peer: PeerSource {
    PeerSource(host: HostPort(host: "127.0.0.1", port: server.address.port), pinned: server.peerID)
  }

  init(_ folder: TemporaryFolder) async throws {
    let images = folder("images")
    try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
    try Data(count: 8_000_000).write(to: URL(fileURLWithPath: images + "/disk.img"))
    var slow = NodeConfiguration()
    slow.uploadLimit = 200_000
    server = try await Server(
      slow, folder: images, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0), stateFolder: folder.path)
    fileID = try #require(try await server.scanFolder().first).fileID
  }
}

@Suite struct BlockingCallsTests {
  private let folder = TemporaryFolder()

  /// These functions call the blocking versions.
  private func hash(_ path: String) throws(SkipReason) -> FileID { try fileID(of: path) }
  private func addresses(of host: HostPort) throws -> [Endpoint] { try host.resolve() }

  private func makeFile(_ name: String, byteCount: Int) throws -> String {
    try Data((0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) })
      .write(to: URL(fileURLWithPath: folder(name)))
    return folder(name)
  }

  @Test func `a file has the same ID from the blocking and the async call`() async throws {
    let path = try makeFile("disk.img", byteCount: 1_200_000)
    #expect(try await fileID(of: path) == hash(path))
    await #expect(throws: SkipReason.self) { try await fileID(of: folder("missing")) }
  }

  @Test func `a cancelled task hashes nothing`() async throws {
    let path = try makeFile("disk.img", byteCount: 1_200_000)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await fileID(of: path)
    }
    await #expect(throws: SkipReason.stopped) { try await task.value }
  }

  @Test func `a host has the same addresses from the blocking and the async call`() async throws {
    let host = HostPort(host: "127.0.0.1", port: 9800)
    #expect(try await host.resolve() == addresses(of: host))
  }

  @Test func `a scan throws if its task is cancelled or its node has stopped`() async throws {
    _ = try makeFile("disk.img", byteCount: 1_200_000)
    let state = TemporaryFolder()
    let node = try Node(NodeConfiguration())
    let share = try await node.share(folder.path, stateFolder: state.path)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await share.scan()
    }
    let error = await #expect(throws: Errno.self) { try await task.value }
    #expect(error?.code == Errno.cancelled)
    await node.stop(grace: .zero)
    let late = try await node.share(folder.path, stateFolder: state.path)
    let lateError = await #expect(throws: Errno.self) { try await late.scan() }
    #expect(lateError?.code == Errno.cancelled)
  }

  @Test func `a removed folder is no longer served, and its scan reports later files until then`() async throws {
    _ = try makeFile("disk.img", byteCount: 1_200_000)
    let state = TemporaryFolder()
    let (added, continuation) = AsyncStream<String>.makeStream()
    let node = try Node(NodeConfiguration())
    let share = try await node.share(folder.path, stateFolder: state.path)
    let entries = try await share.scan { event in
      if case .added(let entry) = event { continuation.yield(entry.path) }
    }
    #expect(entries.map(\.path) == ["disk.img"])
    _ = try makeFile("later.img", byteCount: 100)
    #expect(await added.first { $0 == "later.img" } != nil)
    await share.remove()
    #expect(node.figures.files == 0 && share.entries.isEmpty)
    await node.stop(grace: .zero)
  }

  @Test func `a downloader takes other peers and another target than its own`() async throws {
    let source = TemporaryFolder()
    let slow = try await SlowServer(source)
    slow.server.reconfigure(uploadLimit: nil, connectionsMax: nil, allowedPeers: nil)
    let downloader = Downloader(NodeConfiguration())
    let target = DownloadTarget(folder: folder.path, name: "copy.img")
    await #expect(throws: DownloadError.self) {
      try await downloader.downloadFile(slow.fileID, length: 1, from: [slow.peer], to: target)
    }
    let result = try await downloader.downloadFile(slow.fileID, from: [slow.peer], to: target)
    #expect(result.path == folder("copy.img") && result.stats.bytes == 8_000_000)
    let again = downloader.start(slow.fileID, from: [slow.peer], to: target)
    #expect(try await again.result().wasFound)
    await slow.server.stop()
  }

  @Test func `a server without its state folder throws and no longer listens`() async throws {
    let port = try Node(NodeConfiguration(), listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0))
    let address = try #require(port.address)
    await port.stop(grace: .zero)
    await #expect(throws: ServerError.self) {
      try await Server(NodeConfiguration(), folder: folder.path, listen: address, stateFolder: folder("missing"))
    }
    let next = try Node(NodeConfiguration(), listen: address)
    await next.stop(grace: .zero)
  }
}
