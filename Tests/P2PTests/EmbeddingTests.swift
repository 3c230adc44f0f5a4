// The programs of docs/embedding.md: a node that serves a folder, and downloads from it. HouseTests compares the two.
import Foundation
import P2P
import TestSupport
import Testing

@Suite struct EmbeddingTests {
  private let base = TemporaryFolder()

  private func folder(_ name: String) throws -> String {
    let path = base.path + "/" + name
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  private func makeFile(_ path: String, byteCount: Int) throws -> Data {
    let bytes = Data((0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) })
    try bytes.write(to: URL(fileURLWithPath: path))
    return bytes
  }

  @Test func `a program serves a folder and fetches a file, as docs/embedding.md shows`() async throws {
    let images = try folder("images")
    let state = try folder("state")
    let copies = try folder("copies")
    let bytes = try makeFile(images + "/disk.img", byteCount: 3_000_000)

    // EMBEDDING
    let server = try await Server(
      NodeConfiguration(), folder: images, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0), stateFolder: state)
    for file in try await server.scanFolder() { print("\(file.fileID.hex)  \(file.path)") }

    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: server.address.port), pinned: server.peerID)
    let downloader = Downloader(
      storage: DownloadTarget(folder: copies), client: PeerClient(peers: [peer]),
      maxWorkers: 8, maxRetries: 3, chunkTimeout: .seconds(30))
    let download = downloader.start(try await fileID(of: images + "/disk.img"))
    for await update in download.updates {
      if case .progress(let progress) = update { print("\(progress.finishedChunks) of \(progress.totalChunks)") }
    }
    let result = try await download.result()
    print("\(result.name): \(result.stats.totalChunks) chunks in \(result.stats.duration)")

    await server.stop()
    // EMBEDDING

    #expect(try Data(contentsOf: URL(fileURLWithPath: copies + "/disk.img")) == bytes)
    #expect(result.path == copies + "/disk.img")
    #expect(result.stats.totalChunks == 3)
    #expect(result.stats.peers.map(\.peer) == [server.peerID])
  }

  @Test func `a node serves a folder and fetches two files at once, as docs/embedding.md shows`() async throws {
    let images = try folder("images")
    let state = try folder("state")
    let copies = try folder("copies")
    let others = try folder("others")
    let bytes = try (1...2).map { try makeFile(others + "/other-\($0).img", byteCount: 1_500_000 + $0) }
    let source = try await Server(
      NodeConfiguration(), folder: others, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0), stateFolder: state)
    let wanted = try await source.scanFolder().map(\.fileID)
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: source.address.port), pinned: source.peerID)

    // EMBEDDING
    let node = try Node(NodeConfiguration(), listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0))
    let share = try await node.share(images, stateFolder: state)
    print("\(try await share.scan().count) files on port \(node.address?.port ?? 0)")

    let downloads = wanted.map { node.download($0, from: [peer], to: DownloadTarget(folder: copies)) }
    for download in downloads { print(try await download.result().name) }
    await node.stop()
    // EMBEDDING

    for (i, bytes) in bytes.enumerated() {
      #expect(try Data(contentsOf: URL(fileURLWithPath: copies + "/other-\(i + 1).img")) == bytes)
    }
    #expect(source.figures.established == 1)
    await source.stop()
  }

  @Test func `a program is notified of each complete file of a folder, as docs/embedding.md shows`() async throws {
    let images = try folder("images/sub")
    let copies = try folder("copies")
    _ = try makeFile(images + "/large", byteCount: 2_500_000)
    _ = try makeFile(images + "/small", byteCount: 5)
    let loopback = Endpoint(ipv4: (127, 0, 0, 1), port: 0)
    let source = try Node(NodeConfiguration(), listen: loopback)
    let share = try await source.share(base.path + "/images", stateFolder: try folder("state"))
    _ = try await share.scan()
    let folderID = try #require(share.folders.first { $0.path == "./" }).folderID
    let port = try #require(source.address).port
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: port), pinned: source.peerID)
    let node = try Node(NodeConfiguration())

    // EMBEDDING
    let download = node.download(folderID, from: [peer], to: DownloadTarget(folder: copies, name: "images"))
    for await update in download.updates {
      guard case .files(let files) = update else { continue }
      for file in files { print("\(file.path): \(file.byteCount) bytes at \(file.place ?? "nowhere")") }
    }
    print(try await download.result().path ?? "nowhere")
    // EMBEDDING

    #expect(
      FileManager.default.contentsEqual(atPath: images + "/large", andPath: copies + "/images/sub/large"))
    await node.stop()
    await source.stop()
  }

  @Test func `the last progress covers the whole file, and a file that is already there needs no peer`() async throws {
    let images = try folder("images")
    let bytes = try makeFile(images + "/disk.img", byteCount: 3_000_000)
    let server = try await Server(
      NodeConfiguration(), folder: images, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0),
      stateFolder: try folder("state"))
    let fileID = try #require(try await server.scanFolder().first).fileID
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: server.address.port))
    let target = DownloadTarget(folder: try folder("copies"), name: "disk.img")
    let download = Downloader(storage: target, client: PeerClient(peers: [peer])).start(fileID)
    var last: DownloadProgress?
    for await update in download.updates { if case .progress(let progress) = update { last = progress } }
    #expect(last?.finishedChunks == 3 && last?.totalChunks == 3 && last?.bytes == UInt64(bytes.count))
    #expect(last?.givesUpIn == nil)
    await server.stop()
    let again = try await Downloader(storage: target, client: PeerClient(peers: [])).downloadFile(fileID)
    #expect(again.wasFound && again.stats.resumedChunks == 3 && again.path == base.path + "/copies/disk.img")
    // Another file with this name is not the requested one. It is kept.
    let other = try await P2P.fileID(of: try path(of: "other", holding: [1, 2, 3]))
    let error = await #expect(throws: DownloadError.self) {
      try await Downloader(storage: target, client: PeerClient(peers: [peer])).downloadFile(other)
    }
    #expect(
      error.map { "\($0)" } == "no peer can be reached (127.0.0.1:\(server.address.port): connection refused)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: base.path + "/copies/disk.img")) == bytes)
  }

  private func path(of name: String, holding bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: base.path + "/" + name))
    return base.path + "/" + name
  }

  @Test func `cancelling a task ends its download, and another download goes on`() async throws {
    let images = try folder("images")
    let copies = try folder("copies")
    let bytes = try makeFile(images + "/disk.img", byteCount: 4_000_000)
    var slow = NodeConfiguration()
    // Beside other tests it can take long until this test continues. The downloads must not be finished by then.
    slow.uploadLimit = 100_000
    let server = try await Server(
      slow, folder: images, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0), stateFolder: try folder("state"))
    let fileID = try #require(try await server.scanFolder().first).fileID
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: server.address.port))
    let first = Downloader(storage: DownloadTarget(folder: copies), client: PeerClient(peers: [peer]))
    let second = Downloader(storage: DownloadTarget(folder: try folder("others")), client: PeerClient(peers: [peer]))
    let cancelled = Task { try await first.downloadFile(fileID) }
    let other = second.start(fileID)
    // The download is in progress: a part has arrived.
    for await update in other.updates {
      if case .progress(let progress) = update, progress.bytes > 0 { break }
    }
    cancelled.cancel()
    let outcome = await cancelled.result
    guard case .failure(let error) = outcome, case DownloadError.failed(.cancelled, _, _) = error else {
      Issue.record("not cancelled: \(outcome)")
      return
    }
    server.reconfigure(uploadLimit: nil, connectionsMax: nil, allowedPeers: nil)
    #expect(try await other.result().stats.bytes == UInt64(bytes.count))
    // A later download continues where the cancelled one ended.
    #expect(try await first.downloadFile(fileID).path == copies + "/disk.img")
    #expect(try Data(contentsOf: URL(fileURLWithPath: copies + "/disk.img")) == bytes)
    await server.stop()
  }

  @Test func `cancelling the task that awaits a started download ends the download`() async throws {
    let images = try folder("images")
    _ = try makeFile(images + "/disk.img", byteCount: 8_000_000)
    var slow = NodeConfiguration()
    slow.uploadLimit = 200_000
    let server = try await Server(
      slow, folder: images, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0), stateFolder: try folder("state"))
    let fileID = try #require(try await server.scanFolder().first).fileID
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: server.address.port))
    let downloader = Downloader(
      storage: DownloadTarget(folder: try folder("copies")), client: PeerClient(peers: [peer]))
    let download = downloader.start(fileID)
    // The download is in progress: a part has arrived.
    for await update in download.updates {
      if case .progress(let progress) = update, progress.bytes > 0 { break }
    }
    let waiting = Task { try await download.result() }
    waiting.cancel()
    let outcomes = [await waiting.result, await Task { try await download.result() }.result]
    for outcome in outcomes {
      guard case .failure(let error) = outcome, case DownloadError.failed(.cancelled, _, _) = error else {
        Issue.record("not cancelled: \(outcome)")
        continue
      }
    }
    await server.stop()
  }

  @Test func `a download whose updates nobody reads ends, and its result can be read repeatedly`() async throws {
    let images = try folder("images")
    _ = try makeFile(images + "/disk.img", byteCount: 1_500_000)
    let server = try await Server(
      NodeConfiguration(), folder: images, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0),
      stateFolder: try folder("state"))
    let file = try #require(try await server.scanFolder().first)
    let link = FileLink(
      fileID: file.fileID, name: "named.img", length: file.length,
      peers: [try #require(FileLink.Peer(host: "127.0.0.1", port: server.address.port, pinned: server.peerID))])
    let downloader = Downloader(storage: DownloadTarget(folder: try folder("copies")), client: PeerClient())
    let download = downloader.start(link)
    let first = try await download.result()
    let again = try await download.result()
    #expect(first.name == "named.img" && again.path == first.path)
    download.cancel()  // too late, and harmless
    await #expect(throws: DownloadError.self) {
      try await downloader.downloadFile(FileID(hex: String(repeating: "0", count: 64))!)
    }
    await server.stop()
  }
}
