// The fetching side as a library: one file from many peers, into one place, with one call.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// The place that a file goes to.
public struct DownloadTarget: Hashable, Sendable {
  /// Made by the caller; it must exist.
  public var folder: String
  /// One component; nil: the suggested name, made harmless.
  public var name: String?
  /// The name that came with the fileID, made harmless before it is used; it comes before the suggestions of peers.
  public var suggestedName: String?
  /// Whether the output may replace a file that has `name`. A suggested name replaces nothing: with it a
  /// stranger could choose which of the user's files to overwrite.
  public var replaces: Bool
  /// Not a file at all: verified bytes leave in order through standard output, or through another descriptor.
  let isStream: Bool
  /// The descriptor of a stream; nil: standard output.
  private(set) var streamNumber: Int32?

  /// Whether the output may replace a file.
  var mayReplace: Bool { replaces && name != nil }

  /// A place in a folder; without a name the file gets the suggested one.
  public init(folder: String, name: String? = nil, replaces: Bool = false) {
    self.init(folder: folder, name: name, replaces: replaces, isStream: false)
  }

  /// The process's standard output, in order, through a bounded window. Nothing is kept of a download that fails.
  public static let standardOutput = DownloadTarget(folder: "", name: nil, replaces: false, isStream: true)

  /// A stream through a descriptor that the caller keeps open.
  static func stream(to number: Int32) -> DownloadTarget {
    var target = DownloadTarget.standardOutput
    target.streamNumber = number
    return target
  }

  /// The output of a stream.
  func openStream() throws(Errno) -> File {
    guard let streamNumber else { return try File.standardOutput() }
    return try File.duplicate(of: streamNumber, path: "descriptor \(streamNumber)")
  }

  private init(folder: String, name: String?, replaces: Bool, isStream: Bool) {
    self.folder = folder
    self.name = name
    self.replaces = replaces
    self.isStream = isStream
  }
}

/// How a download gives verified data to other peers. A stream gives none.
public struct Sharing: Hashable, Sendable {
  /// For how long.
  public enum Stay: Hashable, Sendable {
    /// So long after the file has its name.
    case `for`(Duration)
    /// Until `cancel`.
    case untilCancelled
  }

  /// The address that other peers may dial; nil: none, and the download exchanges data only with peers that it dials.
  public var listen: Endpoint?
  /// How long the finished file stays offered; nil: the download ends with it.
  public var stay: Stay?

  /// Without an address no peer can dial in.
  public init(listen: Endpoint? = nil, stay: Stay? = nil) {
    self.listen = listen
    self.stay = stay
  }
}

/// An event of a running download. Names are as peers gave them: escape before printing.
public enum DownloadUpdate: Sendable {
  /// The manifest is verified and the part file is there.
  case prepared(name: String, length: UInt64)
  /// A decision of the engine, or an event that it counts.
  case report(DownloadReport)
  /// A few times a second.
  case progress(DownloadProgress)
  /// The name has no addresses yet. It is looked up again while the download runs; reported once.
  case unresolved(PeerSource, String)
  /// The addresses of a name, also later ones: each is reported once.
  case resolved(PeerSource, [Endpoint])
  /// The result of the search for peers on the network, once the download waits for it no longer.
  case searched(DiscoverySummary)
  /// A dial failed, or a connection ended that the download did not close.
  case peerEnded(Endpoint, PeerID?, ConnectionEnd)
  /// The output is there already, and it is the right file: nothing is fetched. Comes after `prepared`.
  case found(path: String)
  /// Chunks of an earlier download that were right.
  case resumed(chunks: Int)
  /// Other peers may dial this address. Comes first.
  case listening(Endpoint)
  /// The file has its name, and stays offered. `cancel` ends that, and the call then returns as if it had not stayed.
  case staying(DownloadResult)
  /// The file that stayed offered has changed.
  case unreadable(StoredFileError)
}

/// A finished download.
public struct DownloadResult: Sendable {
  /// The numbers of the whole download.
  public internal(set) var stats: DownloadStats
  /// The path of the output; nil if it went to standard output.
  public let path: String?
  /// The name of the file, made harmless.
  public let name: String
  /// Whether the right file was there already, so that nothing was fetched.
  public let wasFound: Bool
}

/// A download that did not finish. Verified data stays in the part file, for a later download.
public enum DownloadError: Error, Sendable {
  /// The engine gave up, or was cancelled: why, the numbers so far, and the part file that is kept.
  case failed(DownloadFailure, DownloadStats, part: String?)
  /// The output cannot be made or written.
  case storage(PartFileError)
  /// The file of this ID has another length, in bytes, than the caller gave. No peer is to blame.
  case otherLength(expected: UInt64, actual: UInt64)
  /// The node downloads this file already. A node has one download of a file at a time.
  case isRunning(FileID)
  /// The address cannot be listened on.
  case listen(Endpoint, Errno)
  /// The system refuses resources that a node needs: descriptors, memory.
  case system(Errno)
}

/// Fetches files. Its downloads share a node, which is there while any of them runs.
public final class Downloader: Sendable {
  /// The time that loops may take to say goodbye.
  private static let goodbyeGrace = Duration.milliseconds(250)

  /// The place of files, unless a call gives another.
  public let storage: DownloadTarget
  /// The node that fetches, and its peers unless a call gives others.
  public let client: PeerClient
  /// Workers, retries, timeouts.
  public let settings: DownloadSettings
  /// The node, of which there is one at a time: it has a port and a PeerID of its own.
  private enum Home {
    case none
    case running(Node)
    /// The last download of a node is over, and another thread ends the node. Downloads that are started meanwhile wait.
    case ending(waiting: [(DownloadRequest, Download)])
  }
  private struct State {
    var home = Home.none
    /// Also those that wait.
    var running: [Download] = []
    /// `cancel` came while nothing ran: it ends the next download, which was about to start.
    var isCancelled = false
  }
  private let state = Mutex(State())
  private let resolve: Resolver

  /// - `storage`: the place of files: a folder, a file, or standard output.
  /// - `client`: the node that fetches, and its peers.
  public convenience init(
    storage: DownloadTarget, client: PeerClient, settings: DownloadSettings
  ) {
    self.init(storage: storage, client: client, settings: settings) { host throws(ResolutionFailure) in
      try host.resolve()
    }
  }

  /// - `maxWorkers`: chunks fetched in parallel; from 1.
  /// - `maxRetries`: times that a chunk is tried again after each peer that has it failed.
  /// - `chunkTimeout`: for one chunk.
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

  /// A downloader whose calls give the place and the peers of each file.
  /// - `sharing`: nil: other peers get nothing.
  public convenience init(
    _ configuration: NodeConfiguration, settings: DownloadSettings = DownloadSettings(), sharing: Sharing? = nil
  ) {
    self.init(
      storage: DownloadTarget(folder: "."), client: PeerClient(configuration: configuration, sharing: sharing),
      settings: settings)
  }

  /// - `resolve`: stands in for the system's resolver.
  init(
    storage: DownloadTarget, client: PeerClient, settings: DownloadSettings, resolve: @escaping Resolver
  ) {
    self.storage = storage
    self.client = client
    self.settings = settings
    self.resolve = resolve
  }

  /// Fetches one file; blocks until it is there, or the download has failed. Updates come on the calling thread, the last
  /// before the call returns. If `onUpdate` falls behind, updates are lost as `Download.updatesWaitingMax` says.
  ///
  /// - `length`: the expected length in bytes, checked before anything is fetched; nil: any.
  public func downloadFile(
    _ fileID: FileID, length: UInt64? = nil, from peers: [PeerSource], to target: DownloadTarget,
    onUpdate: @escaping (DownloadUpdate) -> Void = { _ in }
  ) throws(DownloadError) -> DownloadResult {
    let download = Download(fileID, isStream: target.isStream, isWatched: true)
    start(download, length: length, from: peers, to: target)
    while let update = download.queue.take() { onUpdate(update) }
    return try download.wait()
  }

  /// Starts a download on the node, which starts if there is none. If an earlier node still ends, the download begins after
  /// that.
  func start(_ download: Download, length: UInt64?, from peers: [PeerSource], to target: DownloadTarget) {
    let request = DownloadRequest(
      fileID: download.fileID, length: length, peers: peers, target: target, settings: settings,
      sharing: client.sharing, resolve: resolve)
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
          let node = try makeNode()
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

  private func makeNode() throws(DownloadError) -> Node {
    do throws(ServerError) { return try Node(client.configuration, listen: client.sharing?.listen) } catch {
      switch error {
      case .listen(let errno): throw .listen(client.sharing?.listen ?? .any(port: 0), errno)
      case .system(let errno), .folder(let errno): throw .system(errno)
      case .state: preconditionFailure("a node without folders keeps no hashes")
      }
    }
  }

  /// A download is over. The last one ends the node first: its result means that peers have heard a goodbye. Called on the
  /// control thread of the node, so another thread ends it.
  private func ended(_ download: Download, _ result: Result<DownloadResult, DownloadError>) {
    let node = state.withLock { state -> Node? in
      state.running.removeAll { $0 === download }
      guard state.running.isEmpty, case .running(let node) = state.home else { return nil }
      state.home = .ending(waiting: [])
      return node
    }
    guard let node else { return download.end(result) }
    Thread.start(name: "p2p-stop") {
      node.shutDown(.done, grace: Downloader.goodbyeGrace)
      let waiting = self.nodeEnded()
      download.end(result)
      for (request, next) in waiting { self.begin(request, next) }
    }.detach()
  }

  /// Returns the downloads that waited for that.
  private func nodeEnded() -> [(DownloadRequest, Download)] {
    state.withLock { state in
      guard case .ending(let waiting) = state.home else { preconditionFailure("one thread ends a node") }
      state.home = .none
      return waiting
    }
  }

  /// Ends the downloads that run, or the next one if none runs. They throw `.failed(.cancelled, …)`. Any thread may call
  /// it.
  public func cancel() {
    let running = state.withLock { state in
      state.isCancelled = state.running.isEmpty
      return state.running
    }
    for download in running { download.cancel() }
  }
}
