// Settings that a program may have read from a file. A value out of range is an error before any dial, never a trap.
import Foundation
import P2P
import TestSupport
import Testing

@Suite struct InvalidSettingsTests {
  private let folder = TemporaryFolder()
  private static let loopback = Endpoint(ipv4: (127, 0, 0, 1), port: 0)
  private let fileID = FileID(kind: .file, length: 1_000, root: .zero)

  /// Returns the setting fault with which a download ends. Nil if it succeeds.
  private func fault(_ settings: DownloadSettings, to target: DownloadTarget) async throws -> SettingFault? {
    let downloader = Downloader(storage: target, client: PeerClient(), settings: settings)
    do {
      _ = try await downloader.downloadFile(fileID)
      return nil
    } catch {
      guard case .invalid(let fault) = error else { throw error }
      #expect("\(error)" == "\(fault)")
      return fault
    }
  }

  @Test func `a download with a setting out of range throws an error that names the setting`() async throws {
    let changes: [(String, (inout DownloadSettings) -> Void)] = [
      ("maxWorkers", { $0.maxWorkers = 0 }), ("maxWorkers", { $0.maxWorkers = .max }),
      ("maxRetries", { $0.maxRetries = -1 }), ("maxRetries", { $0.maxRetries = .max }),
      ("chunkTimeout", { $0.chunkTimeout = .zero }), ("chunkTimeout", { $0.chunkTimeout = .seconds(Int64.max) }),
      ("requestsInFlightMax", { $0.requestsInFlightMax = 65 }), ("chunksPerPage", { $0.chunksPerPage = 0 }),
      ("connectionsMax", { $0.connectionsMax = 0 }), ("dialsMax", { $0.dialsMax = 0 }),
      ("order.windowChunks", { $0.order = .inOrder(windowChunks: 0) }),
    ]
    for (name, change) in changes {
      var settings = DownloadSettings()
      change(&settings)
      let fault = try await fault(settings, to: DownloadTarget(folder: folder.path))
      #expect(fault?.setting == name)
    }
    let downloader = Downloader(
      storage: DownloadTarget(folder: folder.path), client: PeerClient(), maxWorkers: 0, maxRetries: -1,
      chunkTimeout: .zero)
    let error = await #expect(throws: DownloadError.self) { try await downloader.downloadFile(fileID) }
    #expect(error.map { "\($0)" } == "maxWorkers is 0: it must be 1 to 1024")
  }

  @Test(arguments: ["", "a/b", "/"])
  func `an output name of more than one component throws before a peer is asked`(name: String) async throws {
    let target = DownloadTarget(folder: folder.path, name: name)
    let fault = try await fault(DownloadSettings(), to: target)
    #expect(fault?.value == "\"\(name)\"")
    try await withNode { node in
      let download = node.download(fileID, from: [], to: target)
      await #expect(throws: DownloadError.self) { try await download.result() }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test func `a node with a limit of 0 throws an error that names the limit`() async throws {
    let changes: [(String, (inout NodeConfiguration) -> Void)] = [
      ("uploadLimit", { $0.uploadLimit = 0 }), ("uploadLimitPerPeer", { $0.uploadLimitPerPeer = 0 }),
      ("downloadLimit", { $0.downloadLimit = 0 }), ("connectionsMax", { $0.connectionsMax = 0 }),
      ("connectionsMax", { $0.connectionsMax = -1 }), ("loopCount", { $0.loopCount = 0 }),
    ]
    for (name, change) in changes {
      var configuration = NodeConfiguration()
      change(&configuration)
      let error = #expect(throws: ServerError.self) {
        try Node(configuration, listen: InvalidSettingsTests.loopback)
      }
      guard case .invalid(let fault)? = error else {
        Issue.record("\(name): \(String(describing: error))")
        continue
      }
      #expect(fault.setting == name)
      let client = PeerClient(configuration: configuration)
      let downloader = Downloader(storage: DownloadTarget(folder: folder.path), client: client)
      await #expect(throws: DownloadError.self) { try await downloader.downloadFile(fileID) }
    }
  }

  @Test func `a second scan of a folder throws, and the first goes on`() async throws {
    try Data(count: 10).write(to: URL(fileURLWithPath: folder("one")))
    let state = TemporaryFolder()
    try await withNode { node in
      let share = try await node.share(folder.path, stateFolder: state.path)
      #expect(try await share.scan().count == 1)
      let error = await #expect(throws: Errno.self) { try await share.scan() }
      #expect(error?.code == Errno.already)
      #expect(node.figures.files == 1)
    }
  }

  @Test(arguments: ["", "state [1]"])
  func `a state folder in the served folder is not served itself`(name: String) async throws {
    try FileManager.default.createDirectory(atPath: folder("\(name)"), withIntermediateDirectories: true)
    try Data(count: 10).write(to: URL(fileURLWithPath: folder("one")))
    try Data(count: 10).write(to: URL(fileURLWithPath: folder("\(name)/two.sqlite")))
    for _ in 0..<2 {
      try await withNode { node in
        let share = try await node.share(folder.path, stateFolder: folder("\(name)"))
        let served = try await share.scan().map(\.path).sorted()
        #expect(served == ["one", name.isEmpty ? "two.sqlite" : "\(name)/two.sqlite"])
      }
    }
  }

  @Test func `if two tasks read the updates of one download, both end`() async throws {
    let downloader = Downloader(storage: DownloadTarget(folder: folder.path), client: PeerClient())
    let download = downloader.start(fileID)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<2 { group.addTask { for await _ in download.updates {} } }
    }
    #expect(download.isOver)
  }

  @Test func `a download of a stopped node throws nodeStopped`() async throws {
    let node = try await withNode { $0 }
    let download = node.download(fileID, from: [], to: DownloadTarget(folder: folder.path))
    let error = await #expect(throws: DownloadError.self) { try await download.result() }
    guard case .nodeStopped? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
