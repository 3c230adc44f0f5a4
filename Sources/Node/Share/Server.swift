// The serving side as a library: a folder's files, offered on one address until the program stops it.
import Posix
import Storage
import Synchronization
import Wire

/// Why a server cannot start.
public enum ServerError: Error, Sendable {
  /// The folder is missing, is none, or cannot be read.
  case folder(Errno)
  /// The address cannot be listened on.
  case listen(Errno)
  /// No place for the hashes of its files.
  case state(HashStoreError)
  /// The system refuses resources that a node needs: descriptors, memory.
  case system(Errno)
}

/// Serves a folder. Listens from the start; files are served as soon as each is hashed.
public final class Server: Sendable {
  /// Where it listens: the real port where 0 was asked for.
  public let address: Endpoint
  /// The public key that others may pin.
  public let peerID: PeerID
  let context: NodeContext
  private let catalogue: Catalogue
  private let threads: Mutex<[Thread]>
  private let following = Mutex<Thread?>(nil)
  private let answerer: Mutex<DiscoveryAnswerer?>

  /// Starts to listen. `stateFolder` must exist; it keeps the files' hashes, 0.2 % of the
  /// data, for the next time. Events come on any thread.
  public convenience init(
    _ configuration: NodeConfiguration, folder: String, listen: Endpoint, stateFolder: String,
    onEvent: @escaping @Sendable (NodeEvent) -> Void = { _ in }
  ) throws(ServerError) {
    let socket = try Server.listening(on: listen)
    try self.init(configuration, folder: folder, socket: socket, stateFolder: stateFolder, onEvent: onEvent)
  }

  /// The same on a socket that listens already.
  public init(
    _ configuration: NodeConfiguration, folder: String, socket: consuming Socket, stateFolder: String,
    onEvent: @escaping @Sendable (NodeEvent) -> Void = { _ in }
  ) throws(ServerError) {
    let served: ServedFolder
    do throws(Errno) { served = try ServedFolder(folder) } catch { throw .folder(error) }
    let swarmKey = configuration.swarmKey
    do throws(HashStoreError) {
      catalogue = try Catalogue(folder: served, stateFolder: stateFolder) { FileKey($0, swarm: swarmKey).bucket }
    } catch {
      throw .state(error)
    }
    do throws(Errno) {
      address = try socket.localAddress()
      context = try NodeContext(
        configuration, catalogue: catalogue, listenPort: address.port, report: onEvent)
      context.isScanning = true
      let acceptor = try NetworkLoop(context: context, index: 0)
      try acceptor.listen(on: socket)
      var loops = [acceptor]
      for i in 1..<max(1, context.mailboxes.count) { loops.append(try NetworkLoop(context: context, index: i)) }
      let (catalogue, address) = (self.catalogue, self.address)
      answerer = Mutex(
        try configuration.discovery.map { settings throws(Errno) in
          try DiscoveryAnswerer(
            settings, peer: configuration.identity.peerID, listener: address,
            complain: { onEvent(.notDiscoverable($0)) },
            keys: { bucket in catalogue.candidates(bucket: bucket).map { FileKey($0.fileID, swarm: swarmKey) } })
        })
      threads = Mutex(loops.map(NetworkLoop.start))
    } catch {
      throw .system(error)
    }
    peerID = configuration.identity.peerID
  }

  private static func listening(on address: Endpoint) throws(ServerError) -> Socket {
    do throws(Errno) { return try Socket.listening(on: address) } catch { throw .listen(error) }
  }

  /// Finds the folder's files and hashes those that are new or changed; blocks until all are served, or soon after
  /// `shouldStop` says so. From then on, until `shutDown`, a thread follows what happens in the folder: files are served
  /// and withdrawn as they come, change and go, and events of that come too. Called once.
  public func scan(
    shouldStop: @escaping @Sendable () -> Bool = { false }, onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) throws(ServerError) {
    defer {
      context.isScanning = false
      context.sendToAllLoops(.catalogueChanged)
    }
    guard let mailbox = context.follower else { preconditionFailure("a server has a catalogue") }
    let firstBatch = BlockingQueue<Void>()
    let follower: FolderFollower
    do throws(Errno) {
      follower = try FolderFollower(
        context, catalogue, mailbox, shouldStop: shouldStop, firstBatch: firstBatch,
        onEvent: { [context] event in
          context.counters.note(event)
          onEvent(event)
        })
    } catch {
      throw .folder(error)
    }
    following.withLock { following in
      precondition(following == nil, "a server scans once")
      following = FolderFollower.start(follower)
    }
    _ = firstBatch.take()
  }

  /// Changes the limits, as in `NodeConfiguration`. Peers that are no longer allowed are disconnected. A lower
  /// `connectionsMax` disconnects no peer. Any thread may call it.
  public func reconfigure(uploadLimit: UInt64?, connectionsMax: Int?, allowedPeers: Set<PeerID>?) {
    context.reconfigure(uploadLimit: uploadLimit, connectionsMax: connectionsMax, allowedPeers: allowedPeers)
  }

  /// Connections from outside that it admits at a time: those of its configuration, as far as the limit of open files
  /// reaches.
  public var connectionsMax: Int { context.admission { $0.places.established } }

  /// The numbers of the server so far and at this moment.
  public var figures: NodeFigures {
    var figures = context.counters.counted
    figures.connections = context.admission { $0.establishedCount }
    figures.uploadedBytes = context.uploaded
    figures.isScanning = context.isScanning
    (figures.files, figures.fileBytes) = catalogue.served
    return figures
  }

  /// File bytes sent since the start.
  public var uploadedBytes: UInt64 { context.uploaded }

  /// Stops accepting, lets uploads end within `grace`, and returns when all connections are closed.
  public func shutDown(grace: Duration) {
    answerer.withLock { $0.take() }?.stop()
    context.follower?.send(.stop)
    following.withLock { $0.take() }?.join()
    context.sendToAllLoops(.shutDown(.shuttingDown, grace: grace))
    let running = threads.withLock { running in
      defer { running = [] }
      return running
    }
    for thread in running { thread.join() }
    context.rechecker.stop()
    // Sockets that the accepting loop gave to a loop that had ended.
    for mailbox in context.mailboxes {
      for case .adopt(let socket, _, _) in mailbox.takeAll() { _ = Socket(owning: socket) }
    }
  }
}
