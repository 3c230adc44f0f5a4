// The programs of the library's articles (Sources/P2P/P2P.docc). HouseTests compares the two: the lines between a pair
// of marks with an article's name are those that the article shows, in the same order.
import Foundation
import P2P
import TestSupport
import Testing

@Suite struct ArticleTests {
  private let base = TemporaryFolder()
  private static let loopback = Endpoint(ipv4: (127, 0, 0, 1), port: 0)

  private func folder(_ name: String) throws -> String {
    try FileManager.default.createDirectory(atPath: base(name), withIntermediateDirectories: true)
    return base(name)
  }

  private func makeFile(_ path: String, byteCount: Int) throws -> Data {
    let bytes = Data((0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) })
    try bytes.write(to: URL(fileURLWithPath: path))
    return bytes
  }

  private func read(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  @Test func `the program of the article on fetching fetches a file and cancels it`() async throws {
    let images = try folder("images")
    let copies = try folder("copies")
    let content = try makeFile(images + "/disk.img", byteCount: 3_000_000)
    _ = try makeFile(images + "/slow.img", byteCount: 8_000_000)
    let server = try await Server(
      NodeConfiguration(), folder: images, listen: ArticleTests.loopback, stateFolder: base.path)
    let files = try await server.scanFolder()
    let file = try #require(files.first { $0.path == "disk.img" })
    let text = FileLink(
      fileID: file.fileID, name: file.name, length: file.length,
      peers: [try #require(FileLink.Peer(host: "127.0.0.1", port: server.address.port, pinned: server.peerID))]
    ).text

    // ARTICLE Fetching
    let link = try FileLink(parsing: text)
    let downloader = Downloader(storage: DownloadTarget(folder: copies), client: PeerClient())
    let download = downloader.start(link)
    // ARTICLE Fetching

    // ARTICLE Fetching
    for await update in download.updates {
      guard case .progress(let progress) = update else { continue }
      print(
        "\(progress.finishedChunks) of \(progress.totalChunks) chunks, \(Int(progress.bytesPerSecond)) bytes a second")
    }
    // ARTICLE Fetching

    // ARTICLE Fetching
    do {
      let result = try await download.result()
      print("saved \(result.path ?? "nowhere"): \(result.stats.bytes) bytes in \(result.stats.duration)")
    } catch {
      print("failed: \(error)")
    }
    // ARTICLE Fetching

    #expect(try read(copies + "/disk.img") == content)
    // Slow enough that the download is not finished before it is cancelled.
    server.reconfigure(uploadLimit: 100_000, connectionsMax: nil, allowedPeers: nil)
    let fileID = try #require(files.first { $0.path == "slow.img" }).fileID

    // ARTICLE Fetching
    let fetch = Task { try await downloader.downloadFile(fileID) }
    fetch.cancel()
    do {
      _ = try await fetch.value
    } catch let error as DownloadError where error.isCancelled {
      print("cancelled")
    }
    // ARTICLE Fetching

    server.reconfigure(uploadLimit: nil, connectionsMax: nil, allowedPeers: nil)
    _ = FileManager.default.createFile(atPath: base("out"), contents: nil)
    let sink = try #require(FileHandle(forWritingAtPath: base("out")))

    // ARTICLE Fetching
    let bytes = downloader.bytes(of: link)
    for try await part in bytes { try sink.write(contentsOf: part) }
    // ARTICLE Fetching

    #expect(try read(base("out")) == content)
    await server.stop()
  }

  @Test func `the program of the article on serving serves a folder and stops at the end`() async throws {
    let images = try folder("images")
    let state = try folder("state")
    let copies = try folder("copies")
    let bytes = try makeFile(images + "/disk.img", byteCount: 3_000_000)
    let (links, continuation) = AsyncStream<String>.makeStream()
    let publish: @Sendable (String) -> Void = { continuation.yield($0) }

    // ARTICLE Serving
    let serving = Task {
      try await withNode(listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0)) { node in
        let events = node.events()
        let share = try await node.share(images, stateFolder: state)
        for file in try await share.scan() {
          let peer = node.address.flatMap { FileLink.Peer(host: "127.0.0.1", port: $0.port, pinned: node.peerID) }
          let peers = peer.map { [$0] } ?? []
          publish(FileLink(fileID: file.fileID, name: file.name, length: file.length, peers: peers).text)
        }
        for await event in events {
          if case .opened(let peer, let address, let path) = event { print("\(peer) at \(address) fetches \(path)") }
        }
      }
    }
    // ARTICLE Serving

    let link = try FileLink(parsing: try #require(await links.first { _ in true }))
    let downloader = Downloader(storage: DownloadTarget(folder: copies), client: PeerClient())
    _ = try await downloader.downloadFile(link)
    #expect(try read(copies + "/disk.img") == bytes)

    // ARTICLE Serving
    serving.cancel()
    try await serving.value
    // ARTICLE Serving

    await #expect(throws: DownloadError.self) {
      try await downloader.downloadFile(link.fileID, from: link.peers.map { PeerSource($0) }, to: target("again"))
    }
  }

  private func target(_ name: String) -> DownloadTarget { DownloadTarget(folder: base.path, name: name) }

  @Test func `the program of the article on both serves the file that it fetches`() async throws {
    let own = try folder("own")
    let state = try folder("state")
    let copies = try folder("copies")
    _ = try makeFile(own + "/own.img", byteCount: 10)
    let others = try folder("others")
    let bytes = try (1...3).map { try makeFile(others + "/\($0).img", byteCount: 1_500_000 + $0) }
    let source = try await Server(
      NodeConfiguration(), folder: others, listen: ArticleTests.loopback, stateFolder: base.path)
    let wanted = try await source.scanFolder().map(\.fileID)
    let peers = [
      PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port), pinned: source.peerID)
    ]

    // ARTICLE ServingAndFetching
    var configuration = NodeConfiguration()
    configuration.uploadLimit = 50_000_000
    let names = try await withNode(configuration, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0)) { node in
      let share = try await node.share(own, stateFolder: state)
      print("\(try await share.scan().count) files are served")

      return try await withThrowingTaskGroup(of: String.self) { group in
        for fileID in wanted {
          let download = node.download(fileID, from: peers, to: DownloadTarget(folder: copies))
          group.addTask { try await download.result().name }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
    }
    // ARTICLE ServingAndFetching

    #expect(names.sorted() == ["1.img", "2.img", "3.img"])
    for (i, bytes) in bytes.enumerated() { #expect(try read(copies + "/\(i + 1).img") == bytes) }
    // One connection carries all downloads.
    #expect(source.figures.established == 1)
    await source.stop()
  }
}
