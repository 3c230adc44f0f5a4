// The serving side of the library: offers the files of one folder on one address until the program stops it.
import Content
import Posix
import Storage
import Wire

/// Serves a folder: a node with one share. It listens from the start, and serves each file as soon as it is hashed.
public final class Server: Sendable {
  /// The address on which the server listens, with the real port if 0 was asked for.
  public let address: Endpoint
  /// The node that serves.
  public let node: Node
  let share: FolderShare
  var context: NodeContext { node.context }

  /// Starts to listen. `stateFolder` must exist; it keeps the files' hashes, 0.2 % of the data, for the next start.
  /// Blocks while it checks the hashes that an earlier run left there. `onEvent` is called on threads of the node,
  /// which wait for it.
  @available(*, noasync, message: "it waits for the disk and for other processes; use 'await Server(…)'")
  package convenience init(
    _ configuration: NodeConfiguration, folder: String, listen: Endpoint, stateFolder: String,
    rules: ServingRules = ServingRules(), onEvent: @escaping @Sendable (NodeEvent) -> Void = { _ in }
  ) throws(ServerError) {
    let socket: Socket
    do throws(Errno) { socket = try Socket.listening(on: listen) } catch { throw .listen(error) }
    try self.init(
      configuration, folder: folder, socket: socket, stateFolder: stateFolder, rules: rules, onEvent: onEvent)
  }

  /// Starts a server on a socket that already listens.
  @available(*, noasync, message: "it waits for the disk and for other processes; use 'await Server(…)'")
  package convenience init(
    _ configuration: NodeConfiguration, folder: String, socket: consuming Socket, stateFolder: String,
    rules: ServingRules = ServingRules(), onEvent: @escaping @Sendable (NodeEvent) -> Void = { _ in }
  ) throws(ServerError) {
    let node = try Node(configuration, socket: socket, onEvent: onEvent)
    do throws(ServerError) {
      self.init(node, try node.share(folder, stateFolder: stateFolder, rules: rules))
    } catch {
      node.shutDown(grace: .zero)
      throw error
    }
  }

  /// Starts to listen. `stateFolder` must exist; it keeps the files' hashes, 0.2 % of the data, for the next start.
  public convenience init(
    _ configuration: NodeConfiguration, folder: String, listen: Endpoint, stateFolder: String,
    rules: ServingRules = ServingRules()
  ) async throws(ServerError) {
    let node = try Node(configuration, listen: listen)
    do throws(ServerError) {
      self.init(node, try await node.share(folder, stateFolder: stateFolder, rules: rules))
    } catch {
      await node.stop(grace: .zero)
      throw error
    }
  }

  /// - `node`: a node that listens.
  private init(_ node: Node, _ share: FolderShare) {
    guard let address = node.address else { preconditionFailure("a server listens") }
    (self.node, self.address, self.share) = (node, address, share)
  }

  /// The public key of the server, which other nodes may pin.
  public var peerID: PeerID { node.peerID }

  /// Finds the folder's files and hashes new and changed ones. It blocks until all are served, or soon after
  /// `shouldStop` returns true. From then on, until `shutDown`, a thread follows the folder: it serves and withdraws
  /// files as they come, change and go, and reports that too. Called once.
  @available(*, noasync, message: "it blocks until all files are hashed; use 'await scanFolder()'")
  package func scan(
    shouldStop: @escaping @Sendable () -> Bool = { false }, onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) throws(ServerError) {
    do throws(Errno) { try share.scan(shouldStop: shouldStop, onEvent: onEvent) } catch { throw .folder(error) }
  }

  /// Changes the limits, as in `NodeConfiguration`; 0 counts as 1. Peers that are no longer allowed are disconnected. A
  /// lower `connectionsMax` disconnects no peer. Any thread may call it.
  public func reconfigure(
    uploadLimit: UInt64?, uploadLimitPerPeer: UInt64? = nil, connectionsMax: Int?, allowedPeers: Set<PeerID>?
  ) {
    node.reconfigure(
      uploadLimit: uploadLimit, uploadLimitPerPeer: uploadLimitPerPeer, connectionsMax: connectionsMax,
      allowedPeers: allowedPeers)
  }

  /// The number of incoming connections that the server admits at a time: the configured number, or fewer if the
  /// process may not open as many files.
  public var connectionsMax: Int { node.connectionsMax }

  /// The numbers of the server so far and at this moment.
  public var figures: NodeFigures { node.figures }

  /// Returns whether the folder has a file with this ID now, or itself or a folder below it has this ID
  /// (`Node.offers`).
  public func offers(_ fileID: FileID) -> Bool { node.offers(fileID) }

  /// Returns the status of the server at this moment (`Node.status`).
  public func status() -> ServerStatus { node.status() }

  /// File bytes sent since the start.
  public var uploadedBytes: UInt64 { node.uploadedBytes }

  /// Stops accepting, lets uploads end within `grace`, and returns when all connections are closed.
  @available(*, noasync, message: "it blocks until all connections are closed; use 'await stop(grace:)'")
  package func shutDown(grace: Duration) { node.shutDown(grace: grace) }
}
