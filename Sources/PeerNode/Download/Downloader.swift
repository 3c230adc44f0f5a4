// The fetching side of the library: one call fetches a file from many peers into one place.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// Fetches files and folders. Its downloads share a node, which exists while any of them runs.
public final class Downloader: Sendable {
  /// The place of the output, unless a call gives another.
  public let storage: DownloadTarget
  /// The configuration of the node that fetches, and its peers, unless a call gives others.
  public let client: PeerClient
  /// The settings of every download: workers, retries, timeouts.
  public let settings: DownloadSettings
  /// The node. Only one exists at a time, since it has its own port and PeerID.
  private enum Home {
    case none
    case running(Node)
    /// The last download has ended, and a thread stops the node. Downloads that are started meanwhile wait.
    case ending(waiting: [(DownloadRequest, Download)])
  }
  /// Limits in bytes a second; nil: no limit.
  private struct RateLimits {
    let uploads: UInt64?
    let uploadsPerPeer: UInt64?
    let downloads: UInt64?
  }
  private struct State {
    var home = Home.none
    /// The downloads that run or wait.
    var running: [Download] = []
    /// Whether `cancel` was called while nothing ran. It then cancels the next download, which was about to start.
    var isCancelled = false
    /// The limits of later nodes; nil: those of the configuration.
    var limits: RateLimits?
  }
  private let state = Mutex(State())
  private let resolve: Resolver

  /// - `storage`: the place of the output: a folder, a file, or a stream.
  /// - `client`: the configuration of the node that fetches, and its peers.
  public convenience init(
    storage: DownloadTarget, client: PeerClient, settings: DownloadSettings
  ) {
    self.init(storage: storage, client: client, settings: settings) { host throws(ResolutionFailure) in
      try host.resolve()
    }
  }

  /// Makes a downloader. Its downloads throw `DownloadError.invalid` if a value is out of range.
  /// - `maxWorkers`: how many workers fetch chunks in parallel, 1…1,024.
  /// - `maxRetries`: how often a chunk is tried again after every peer that has it failed, 0…1,000.
  /// - `chunkTimeout`: the time limit for one chunk: more than zero, at most a day.
  public convenience init(
    storage: DownloadTarget, client: PeerClient, maxWorkers: Int = 8, maxRetries: Int = 3,
    chunkTimeout: Duration = .seconds(30)
  ) {
    var settings = DownloadSettings()
    settings.maxWorkers = maxWorkers
    settings.maxRetries = maxRetries
    settings.chunkTimeout = chunkTimeout
    self.init(storage: storage, client: client, settings: settings)
  }

  /// Makes a downloader whose calls give the place and the peers of each file.
  /// - `sharing`: nil: nothing is offered to other peers.
  public convenience init(
    _ configuration: NodeConfiguration, settings: DownloadSettings = DownloadSettings(), sharing: Sharing? = nil
  ) {
    self.init(
      storage: DownloadTarget(folder: "."), client: PeerClient(configuration: configuration, sharing: sharing),
      settings: settings)
  }

  /// - `resolve`: replaces the system's resolver.
  init(
    storage: DownloadTarget, client: PeerClient, settings: DownloadSettings, resolve: @escaping Resolver
  ) {
    self.storage = storage
    self.client = client
    self.settings = settings
    self.resolve = resolve
  }

  /// The numbers of the node while a download runs; nil: none runs.
  public var figures: NodeFigures? {
    let node: Node? = state.withLock { state in
      if case .running(let node) = state.home { return node }
      return nil
    }
    return node?.figures
  }

  /// Fetches one file or folder. It blocks until the download has ended. `onUpdate` is called on the calling thread,
  /// the last time before the call returns. If it falls behind, updates are dropped as `Download.updatesWaitingMax`
  /// says.
  ///
  /// - `length`: the expected length in bytes, checked before anything is fetched; nil: any.
  /// - `folder`: the options if the ID names a folder.
  @available(*, noasync, message: "it blocks until the download is over; use 'start(…)' or 'await downloadFile(…)'")
  package func downloadFile(
    _ fileID: FileID, length: UInt64? = nil, from peers: [PeerSource], to target: DownloadTarget,
    folder: FolderOptions = FolderOptions(), onUpdate: @escaping (DownloadUpdate) -> Void = { _ in }
  ) throws(DownloadError) -> DownloadResult {
    let download = Download(fileID, to: target, isWatched: true)
    start(download, length: length, from: peers, to: target, folder: folder)
    while let update = download.queue.take() { onUpdate(update) }
    return try download.wait()
  }

  /// Starts a download on the node, and starts the node if there is none. If an earlier node is still stopping, the
  /// download begins after that.
  func start(
    _ download: Download, length: UInt64?, from peers: [PeerSource], to target: DownloadTarget,
    folder: FolderOptions = FolderOptions()
  ) {
    let request = DownloadRequest(
      fileID: download.fileID, length: length, peers: peers, target: target, settings: settings,
      sharing: client.sharing, folder: folder, resolve: resolve)
    let isCancelled = state.withLock { state in
      state.running.append(download)
      defer { state.isCancelled = false }
      return state.isCancelled
    }
    if isCancelled { download.cancel() }
    begin(request, download)
  }

  private func begin(_ request: DownloadRequest, _ download: Download) {
    let found = state.withLock { state -> Result<Node, DownloadError>? in
      switch state.home {
      case .running(let node): return .success(node)
      case .ending(let waiting):
        state.home = .ending(waiting: waiting + [(request, download)])
        return nil
      case .none:
        do throws(DownloadError) {
          let node = try makeNode(state.limits)
          state.home = .running(node)
          return .success(node)
        } catch {
          state.running.removeAll { $0 === download }
          return .failure(error)
        }
      }
    }
    switch found {
    case nil: break
    case .success(let node): node.start(request, download) { self.ended(download, $0) }
    case .failure(let error): download.end(.failure(error))
    }
  }

  private func makeNode(_ limits: RateLimits?) throws(DownloadError) -> Node {
    var configuration = client.configuration
    if let limits {
      (configuration.uploadLimit, configuration.uploadLimitPerPeer) = (limits.uploads, limits.uploadsPerPeer)
      configuration.downloadLimit = limits.downloads
    }
    do throws(ServerError) { return try Node(configuration, listen: client.sharing?.listen) } catch {
      switch error {
      case .listen(let errno): throw .listen(client.sharing?.listen ?? .any(port: 0), errno)
      case .system(let errno), .folder(let errno): throw .system(errno)
      case .invalid(let fault): throw .invalid(fault)
      case .state: preconditionFailure("a node without folders keeps no hashes")
      }
    }
  }

  /// Handles the end of a download. The last one stops the node before it gets its result, so that peers have been sent
  /// GOODBYE by then. Called on the node's control thread, so another thread stops the node.
  private func ended(_ download: Download, _ result: Result<DownloadResult, DownloadError>) {
    let node = state.withLock { state -> Node? in
      state.running.removeAll { $0 === download }
      guard state.running.isEmpty, case .running(let node) = state.home else { return nil }
      state.home = .ending(waiting: [])
      return node
    }
    guard let node else { return download.end(result) }
    Thread.start(name: "p2p-stop") {
      node.leave()
      let waiting = self.nodeEnded()
      download.end(result)
      for (request, next) in waiting { self.begin(request, next) }
    }.detach()
  }

  /// Notes that the node has stopped. Returns the downloads that waited for that.
  private func nodeEnded() -> [(DownloadRequest, Download)] {
    state.withLock { state in
      guard case .ending(let waiting) = state.home else { preconditionFailure("one thread ends a node") }
      state.home = .none
      return waiting
    }
  }

  /// Changes how many bytes a second are sent in all, sent to each address, and fetched, also for running downloads.
  /// Nil: no limit; 0 counts as 1. Any thread may call it.
  public func limit(uploads: UInt64?, uploadsPerPeer: UInt64? = nil, downloads: UInt64?) {
    let node = state.withLock { state -> Node? in
      state.limits = RateLimits(uploads: uploads, uploadsPerPeer: uploadsPerPeer, downloads: downloads)
      if case .running(let node) = state.home { return node }
      return nil
    }
    node?.limit(uploads: uploads, uploadsPerPeer: uploadsPerPeer, downloads: downloads)
  }

  /// Cancels the running downloads, or the next one if none runs. They throw `.failed(.cancelled, …)`. Any thread may
  /// call it.
  public func cancel() {
    let running = state.withLock { state in
      state.isCancelled = state.running.isEmpty
      return state.running
    }
    for download in running { download.cancel() }
  }
}
