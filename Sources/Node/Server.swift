// The serving side as a library: a folder's files, offered on one address until it is told to stop.
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
  /// No place for the leaf hashes.
  case scratch(Errno)
  /// The system refuses what a node needs: descriptors, memory.
  case system(Errno)
}

/// Serves a folder. Listens from the start; files are served as soon as each is hashed.
public final class Server: Sendable {
  /// Where it listens: the real port where 0 was asked for.
  public let address: SocketAddress
  public let peerID: PeerID
  private let context: NodeContext
  private let catalogue: Catalogue
  private let threads: Mutex<[Thread]>

  /// Starts to listen. `scratchFolder` must exist; it takes 0.2 % of the data. Events come on any thread.
  public init(
    _ configuration: NodeConfiguration, folder: String, listen: SocketAddress, scratchFolder: String,
    onEvent: @escaping @Sendable (NodeEvent) -> Void = { _ in }
  ) throws(ServerError) {
    let served: ServedFolder
    do throws(Errno) { served = try ServedFolder(folder) } catch { throw .folder(error) }
    let swarmKey = configuration.swarmKey
    do throws(Errno) {
      catalogue = try Catalogue(folder: served, scratchFolder: scratchFolder) { FileKey($0, swarm: swarmKey).bucket }
    } catch {
      throw .scratch(error)
    }
    let socket = try Server.listening(on: listen)
    do throws(Errno) {
      address = try socket.localAddress()
      context = try NodeContext(configuration, catalogue: catalogue, report: onEvent)
      context.isScanning = true
      let acceptor = try NetworkLoop(context: context, index: 0)
      try acceptor.listen(on: socket)
      var loops = [acceptor]
      for i in 1..<max(1, context.mailboxes.count) { loops.append(try NetworkLoop(context: context, index: i)) }
      threads = Mutex(loops.map(NetworkLoop.start))
    } catch {
      throw .system(error)
    }
    peerID = configuration.identity.peerID
  }

  private static func listening(on address: SocketAddress) throws(ServerError) -> Socket {
    do throws(Errno) { return try Socket.listening(on: address) } catch { throw .listen(error) }
  }

  /// Finds the folder's files and hashes them; blocks until all are served, or soon after `shouldStop` says so.
  public func scan(
    shouldStop: @escaping @Sendable () -> Bool = { false }, onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) throws(ServerError) {
    defer {
      context.isScanning = false
      context.tellAllLoops(.catalogueChanged)
    }
    let found: FolderScan
    do throws(Errno) { found = try FolderScan(catalogue.folder) } catch { throw .folder(error) }
    for skipped in found.skipped { onEvent(.skipped(skipped)) }
    let context = self.context
    catalogue.load(found.files, shouldStop: shouldStop) { event in
      onEvent(event)
      if case .added = event { context.tellAllLoops(.catalogueChanged) }
    }
  }

  /// File bytes sent since the start.
  public var uploadedBytes: UInt64 { context.uploaded }

  /// Stops accepting, finishes what is being sent within `grace`, and returns when all is closed.
  public func shutDown(grace: Duration) {
    context.tellAllLoops(.shutDown(.shuttingDown, grace: grace))
    let running = threads.withLock { running in
      defer { running = [] }
      return running
    }
    for thread in running { thread.join() }
    // What the accepting loop dealt out to one that had ended.
    for mailbox in context.mailboxes {
      for case .adopt(let socket, _, _) in mailbox.takeAll() { _ = Socket(owning: socket) }
    }
  }
}
