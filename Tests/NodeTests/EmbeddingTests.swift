// The library as README.md shows it: a node that serves a folder, and a download from it. HouseTests compares the two.
import Content
import Foundation
import Node
import Posix
import Sodium
import Storage
import Testing
import Wire
import TestSupport

@Suite struct EmbeddingTests {
  @Test func `a program serves a folder and fetches a file, as README.md shows`() throws {
    let base = FileManager.default.temporaryDirectory.appendingPathComponent("p2pnode-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: base) }
    for name in ["images", "state", "copies"] {
      try FileManager.default.createDirectory(at: base.appendingPathComponent(name), withIntermediateDirectories: true)
    }
    let bytes = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) })
    try bytes.write(to: base.appendingPathComponent("images/disk.img"))
    let images = base.appendingPathComponent("images").path
    let state = base.appendingPathComponent("state").path
    let copies = base.appendingPathComponent("copies").path

    // README
    let identity = StaticIdentity(secret: SecretKey.random())
    let server = try Server(
      NodeConfiguration(identity: identity), folder: images,
      listen: SocketAddress(ipv4: (127, 0, 0, 1), port: 0), stateFolder: state)
    try server.scan { event in
      if case .added(let file) = event { print("\(file.fileID.hex)  \(file.path)") }
    }

    let fileID = try hashFile(images + "/disk.img").fileID
    let downloader = try Downloader(NodeConfiguration(identity: StaticIdentity(secret: SecretKey.random())))
    let result = try downloader.downloadFile(
      fileID, from: [PeerSource(host: HostPort(host: "127.0.0.1", port: server.address.port))],
      to: DownloadTarget(folder: copies))
    print("\(result.name): \(result.stats.totalChunks) chunks in \(result.stats.duration)")

    server.shutDown(grace: .seconds(10))
    // README

    #expect(try Data(contentsOf: URL(fileURLWithPath: copies + "/disk.img")) == bytes)
    #expect(result.path == copies + "/disk.img")
    #expect(result.stats.totalChunks == 3)
  }
}
