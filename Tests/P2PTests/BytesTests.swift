// The bytes of a download as they arrive, through a sequence or through a descriptor.
import Foundation
import P2P
import TestSupport
import Testing

@Suite struct BytesTests {
  private let folder = TemporaryFolder()

  @Test func `a sequence gives the bytes in order and waits for a slow reader`() async throws {
    let images = folder("images")
    try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
    let content = Data((0..<30_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) })
    try content.write(to: URL(fileURLWithPath: images + "/disk.img"))
    let server = try await Server(
      NodeConfiguration(), folder: images, listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0), stateFolder: folder.path)
    let fileID = try #require(try await server.scanFolder().first).fileID
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: server.address.port), pinned: server.peerID)
    let downloader = Downloader(storage: DownloadTarget(folder: "/nowhere"), client: PeerClient(peers: [peer]))
    let bytes = downloader.bytes(of: fileID)
    var (read, largest, ahead) = (Data(), 0, UInt64(0))
    for try await part in bytes {
      read += part
      largest = max(largest, part.count)
      ahead = max(ahead, (await bytes.download.statistics()?.bytes ?? 0) - min(UInt64(read.count), 30_000_000))
    }
    #expect(read == content)
    // 256 KiB and a leaf wait for the reader. Behind them are 16 chunks and what is in transit for them.
    #expect(largest <= 272 << 10 && ahead <= 20 << 20)
    #expect(try await bytes.download.result().path == nil)
    await server.stop()
  }

  @Test func `leaving the loop cancels the download`() async throws {
    let slow = try await SlowServer(folder)
    let downloader = Downloader(
      storage: DownloadTarget(folder: folder.path), client: PeerClient(peers: [slow.peer]))
    let bytes = downloader.bytes(of: slow.fileID)
    for try await part in bytes {
      #expect(!part.isEmpty)
      break
    }
    let error = await #expect(throws: DownloadError.self) { try await bytes.download.result() }
    #expect(error?.isCancelled == true)
    await slow.server.stop()
  }

  @Test func `cancelling the reading task or dropping the sequence cancels the download`() async throws {
    let slow = try await SlowServer(folder)
    try await withNode { node in
      let bytes = node.bytes(of: slow.fileID, from: [slow.peer])
      let task = Task { for try await _ in bytes { withUnsafeCurrentTask { $0?.cancel() } } }
      let error = await #expect(throws: DownloadError.self) { try await task.value }
      #expect(error?.isCancelled == true)
      let dropped = node.bytes(of: slow.fileID, from: [slow.peer]).download
      await #expect(throws: DownloadError.self) { try await dropped.result() }
    }
    await slow.server.stop()
  }

  @Test func `a sequence throws the error that its download ends with`() async throws {
    let downloader = Downloader(
      storage: DownloadTarget(folder: folder.path), client: PeerClient(), chunkTimeout: .milliseconds(200))
    let bytes = downloader.bytes(of: FileID(kind: .file, length: 10, root: .zero))
    let error = await #expect(throws: DownloadError.self) { for try await _ in bytes {} }
    #expect(error?.isCancelled == false)
    #expect(error.map { "\($0)" }?.hasPrefix("no peer was named or found: name one") == true)
  }

  @Test func `a descriptor gets the bytes and stays open`() async throws {
    let slow = try await SlowServer(folder)
    slow.server.reconfigure(uploadLimit: nil, connectionsMax: nil, allowedPeers: nil)
    let pipe = Pipe()
    let reading = Task.detached { try pipe.fileHandleForReading.readToEnd()?.count }
    let downloader = Downloader(
      storage: .stream(to: pipe.fileHandleForWriting.fileDescriptor), client: PeerClient(peers: [slow.peer]))
    _ = try await downloader.downloadFile(slow.fileID)
    try pipe.fileHandleForWriting.write(contentsOf: Data([1]))
    try pipe.fileHandleForWriting.close()
    #expect(try await reading.value == 8_000_001)
    await slow.server.stop()
  }

  @Test func `a reader that closes its pipe fails the download and does not kill the process`() async {
    await #expect(processExitsWith: .success) {
      signal(SIGPIPE, SIG_DFL)
      let folder = TemporaryFolder()
      let slow = try await SlowServer(folder)
      let pipe = Pipe()
      try pipe.fileHandleForReading.close()
      let downloader = Downloader(
        storage: .stream(to: pipe.fileHandleForWriting.fileDescriptor), client: PeerClient(peers: [slow.peer]))
      let error = await #expect(throws: DownloadError.self) { try await downloader.downloadFile(slow.fileID) }
      guard case .storage? = error else { throw error ?? CancellationError() }
    }
  }
}

@Suite struct ErrorWordsTests {
  @Test func `an error says in words what happened, also as localizedDescription`() async throws {
    let folder = TemporaryFolder()
    let error = await #expect(throws: ServerError.self) {
      try await Server(
        NodeConfiguration(), folder: folder("missing"), listen: Endpoint(ipv4: (127, 0, 0, 1), port: 0),
        stateFolder: folder.path)
    }
    let words = try #require(error.map { "\($0)" })
    #expect(words.hasPrefix("cannot serve the folder: ") && words.contains("missing"))
    #expect((error as (any Error)?)?.localizedDescription == words)
    let fault: any Error = SettingFault("a", is: "1", mustBe: "2")
    #expect(fault.localizedDescription == "a is 1: it must be 2")
  }
}

@Suite struct KeyFileTests {
  private let folder = TemporaryFolder()

  @Test func `a key file is made once, readable by its owner alone, and gives the same PeerID each time`() throws {
    let path = folder("key")
    let peerID = try StaticIdentity(file: path).peerID
    #expect(try StaticIdentity(file: path).peerID == peerID)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test func `reading a key from a file without a key throws`() throws {
    let path = folder("key")
    try Data(count: 10).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    #expect(throws: SecretFileError.wrongSize(path: path, byteCount: 10)) { try StaticIdentity(file: path) }
    #expect(throws: SecretFileError.wrongSize(path: path, byteCount: 10)) { try SwarmKey(file: path) }
  }

  @Test func `a swarm key of 32 zero bytes is refused, from memory and from a file`() throws {
    func key(last: UInt8) -> SecretKey { SecretKey(copying: (Array(repeating: 0, count: 31) + [last]).span.bytes) }
    #expect(throws: SwarmKeyFault.zero) { try SwarmKey(key(last: 0)) }
    _ = try SwarmKey(key(last: 1))
    let path = folder("key")
    try Data(count: 32).write(to: URL(fileURLWithPath: path))
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    #expect(throws: SecretFileError.zero(path: path)) { try SwarmKey(file: path) }
  }
}
