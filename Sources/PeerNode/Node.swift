// A node: one identity, one port and one set of threads for any number of served folders and downloads.
import Content
import Posix
import Storage
import Synchronization
import Transfer
import Wire

/// Why a node cannot start, or cannot serve a folder.
public enum ServerError: Error, Sendable {
  /// The path is missing, is not a folder, or cannot be read.
  case folder(Errno)
  /// The node cannot listen on the address.
  case listen(Errno)
  /// The hashes of the folder's files cannot be stored.
  case state(HashStoreError)
  /// The system refuses descriptors or memory that a node needs.
  case system(Errno)
  /// A setting of the configuration has an invalid value.
  case invalid(SettingFault)
}

/// A node of the network. It owns the identity, the listener, the threads that talk to peers, discovery, and the
/// counters. Folders and downloads can be added and removed while it runs. `stop` ends it.
public final class Node: Sendable {
  /// The time in which loops may send GOODBYE once all downloads are over.
  static let goodbyeGrace = Duration.milliseconds(250)

  /// The address on which the node listens, with the real port if 0 was asked for. Nil: no other node can dial it.
  public let address: Endpoint?
  /// The public key of the node, which other nodes may pin.
  public let peerID: PeerID
  let context: NodeContext
  private let threads: Mutex<[Thread]>
  private enum Ending { case none, begun, over }
  private let ending = Monitor(Ending.none)
  private let answerer: Mutex<DiscoveryAnswerer?>

  /// Starts a node.
  /// - `listen`: the address that other nodes may dial; nil: the node does not listen.
  /// - `onEvent`: called on threads of the node, which wait for it. `events()` gives the same events as a sequence.
  public convenience init(
    _ configuration: NodeConfiguration, listen: Endpoint? = nil,
    onEvent: @escaping @Sendable (NodeEvent) -> Void = { _ in }
  ) throws(ServerError) {
    if let fault = configuration.fault { throw .invalid(fault) }  // before the port is taken
    let socket = try Node.listening(on: listen)
    try self.init(configuration, socket: socket, onEvent: onEvent)
  }

  /// Starts a node on a socket that already listens; nil: no other node can dial it.
  package init(
    _ configuration: NodeConfiguration, socket: consuming Socket?,
    onEvent: @escaping @Sendable (NodeEvent) -> Void = { _ in }
  ) throws(ServerError) {
    if let fault = configuration.fault { throw .invalid(fault) }
    peerID = configuration.identity.peerID
    do throws(Errno) {
      let address = try socket?.localAddress()
      let context = try NodeContext(configuration, address: address, report: onEvent)
      (self.address, self.context) = (address, context)
      var loops: [NetworkLoop] = []
      for i in context.mailboxes.indices { loops.append(try NetworkLoop(context: context, index: i)) }
      if let socket = consume socket { try loops[0].listen(on: socket) }
      answerer = Mutex(try Node.answerer(configuration, at: address, context))
      threads = Mutex(loops.map(NetworkLoop.start))
    } catch {
      throw .system(error)
    }
  }

  private static func listening(on address: Endpoint?) throws(ServerError) -> Socket? {
    guard let address else { return nil }
    do throws(Errno) { return try Socket.listening(on: address) } catch { throw .listen(error) }
  }

  /// Starts to answer discovery queries for the node's contents. Nil: the node does not listen, or discovery is off.
  private static func answerer(
    _ configuration: NodeConfiguration, at address: Endpoint?, _ context: NodeContext
  ) throws(Errno) -> DiscoveryAnswerer? {
    guard let settings = configuration.discovery, let address else { return nil }
    return try DiscoveryAnswerer(
      settings, peer: configuration.identity.peerID, listener: address,
      complain: { context.report(.notDiscoverable($0)) },
      keys: { context.offered.keys(bucket: $0, swarm: context.swarmKey) })
  }

  // MARK: Folders

  /// Offers the files of a folder, as soon as `scan` has found and hashed them. Blocks while it checks the hashes that
  /// an earlier run of the program left in the state folder.
  /// - `stateFolder`: an existing folder that keeps the hashes of the files, 0.2 % of the data, for the next start. If
  ///   it lies in the served folder, the files with these hashes are not served.
  /// - `rules`: which files are left out, and which folders have an ID of their own.
  @available(*, noasync, message: "it waits for the disk and for other processes; use 'await share(…)'")
  package func share(
    _ folder: String, stateFolder: String, rules: ServingRules = ServingRules()
  ) throws(ServerError) -> FolderShare {
    let served: ServedFolder
    let rules = rules.excludingState(in: stateFolder, of: folder)
    do throws(Errno) { served = try ServedFolder(folder, rules: rules) } catch { throw .folder(error) }
    let swarmKey = context.swarmKey
    do throws(HashStoreError) {
      let catalogue = try Catalogue(folder: served, stateFolder: stateFolder, now: context.configuration.fileTime) {
        FileKey($0, swarm: swarmKey).bucket
      }
      let share = FolderShare(catalogue, context)
      context.add(share)
      return share
    } catch {
      throw .state(error)
    }
  }

  // MARK: Downloads

  /// Starts to fetch a file or a folder, in parallel with the other downloads of the node and over the same
  /// connections. If a download of the same ID already runs, the new one fails at once.
  /// - `length`: the expected length of the file in bytes, checked before anything is fetched; nil: any.
  /// - `peers`: the peers to ask, beside those that discovery finds.
  /// - `stay`: how long the finished file stays offered; nil: the download ends when the file is complete.
  /// - `shares`: whether other peers may fetch what the download has. A stream is never shared.
  public func download(
    _ fileID: FileID, length: UInt64? = nil, from peers: [PeerSource], to target: DownloadTarget,
    settings: DownloadSettings = DownloadSettings(), shares: Bool = true, stay: Sharing.Stay? = nil,
    folder: FolderOptions = FolderOptions()
  ) -> Download {
    let download = Download(fileID, to: target, isWatched: true)
    let request = DownloadRequest(
      fileID: fileID, length: length, peers: peers, target: target, settings: settings,
      sharing: shares ? Sharing(stay: stay) : nil, folder: folder)
    start(request, download) { download.end($0) }
    return download
  }

  /// - `onEnd`: called once, on a thread that must not wait. It must end the download.
  func start(
    _ request: DownloadRequest, _ download: Download,
    onEnd: @escaping @Sendable (Result<DownloadResult, DownloadError>) -> Void
  ) {
    let (context, fileID) = (context, request.fileID)
    if let fault = request.fault { return onEnd(.failure(.invalid(fault))) }
    guard ending.change({ $0 }) == .none else { return onEnd(.failure(.nodeStopped)) }
    guard context.downloadBegins(download) else { return onEnd(.failure(.isRunning(fileID))) }
    do throws(Errno) { try context.threads.start(context) } catch {
      context.downloadEnded(download)
      return onEnd(.failure(.system(error)))
    }
    FolderDownload.run(request, download, context) { result in
      context.downloadEnded(download)
      onEnd(result)
    }
  }

  // MARK: Limits and numbers

  /// Changes the limits, as in `NodeConfiguration`; 0 counts as 1. Peers that are no longer allowed are disconnected. A
  /// lower `connectionsMax` disconnects no peer. Any thread may call it.
  public func reconfigure(
    uploadLimit: UInt64?, uploadLimitPerPeer: UInt64? = nil, connectionsMax: Int?, allowedPeers: Set<PeerID>?
  ) {
    context.reconfigure(
      uploadLimit: uploadLimit, uploadLimitPerPeer: uploadLimitPerPeer, connectionsMax: connectionsMax,
      allowedPeers: allowedPeers)
  }

  /// Changes how many bytes a second the node sends in all, sends to each address, and fetches. Nil: no limit; 0 counts
  /// as 1. Any thread may call it.
  public func limit(uploads: UInt64?, uploadsPerPeer: UInt64? = nil, downloads: UInt64?) {
    context.limit(uploads: uploads, uploadsPerPeer: uploadsPerPeer, downloads: downloads)
  }

  /// The number of incoming connections that the node admits at a time: the configured number, or fewer if the process
  /// may not open as many files.
  public var connectionsMax: Int { context.admission { $0.places.established } }

  /// The numbers of the node so far and at this moment.
  public var figures: NodeFigures {
    var figures = context.counters.counted
    figures.connections = context.admission { $0.establishedCount }
    figures.uploadedBytes = context.uploaded
    figures.uploadedByZone = context.uploadedByZone
    figures.isScanning = context.isScanning
    (figures.files, figures.fileBytes) = context.offered.served
    return figures
  }

  /// Whether a folder of the node has a file with this ID, or has this ID itself, now. IDs of earlier versions do not
  /// count.
  public func offers(_ fileID: FileID) -> Bool { context.offered.has(fileID) }

  /// Returns the status of the node at this moment. Any thread may call it, as often as it likes: a lock is held only
  /// to copy one entry per connection, and no upload waits for it. After `stop` the status lists no connections.
  public func status() -> ServerStatus { context.status }

  /// File bytes sent since the start.
  public var uploadedBytes: UInt64 { context.uploaded }

  // MARK: The end

  /// Cancels all downloads, stops accepting, lets uploads end within `grace`, and returns when all connections are
  /// closed. Any thread may call it. A second call waits for the same end and ignores its own `grace`. From then on,
  /// resumed downloads are cancelled, new downloads fail with `nodeStopped`, and added folders are not served.
  @available(*, noasync, message: "it blocks until all connections are closed; use 'await stop(grace:)'")
  package func shutDown(grace: Duration) { shutDown(.shuttingDown, grace: grace) }

  /// Stops like `shutDown(grace:)`, but its GOODBYE says that the node is done. For a node whose downloads are over.
  package func leave() { shutDown(.done, grace: Node.goodbyeGrace) }

  /// Cancels all running downloads. New ones may be started afterwards. Any thread may call it.
  package func cancelDownloads() { for download in context.runningDownloads { download.cancel() } }

  /// - `code`: the reason that GOODBYE gives.
  func shutDown(_ code: CloseCode, grace: Duration) {
    let isFirst = ending.change { ending in
      guard case .none = ending else { return false }
      ending = .begun
      return true
    }
    if isFirst { end(code, grace: grace) }
    ending.wait { $0 == .over ? () : nil }
  }

  private func end(_ code: CloseCode, grace: Duration) {
    answerer.withLock { $0.take() }?.stop()
    for folder in context.offered.folders { folder.stop() }
    context.following.stop()
    cancelDownloads()
    context.threads.stop()
    cancelDownloads()  // downloads that were paused meanwhile
    context.asker?.stop()
    context.sendToAllLoops(.shutDown(code, grace: grace))
    let running = threads.withLock { running in
      defer { running = [] }
      return running
    }
    for thread in running { thread.join() }
    context.rechecker.stop()
    context.listingOpener.stop()
    // Closes sockets that the accepting loop handed to a loop that had already ended.
    for mailbox in context.mailboxes {
      for case .adopt(let socket, _, _) in mailbox.takeAll() { _ = Socket(owning: socket) }
    }
    context.events.close()
    ending.change { $0 = .over }
  }
}
