// The node that a download fetches with: loops, listener, and an entry where other nodes look for peers.
import Posix
import Transfer
import Wire

/// The parts of a node that no download owns. A process has one for each download. Confined to the control thread.
final class FetchingNode {
  /// The time that loops may take to say goodbye.
  private static let goodbyeGrace = Duration.milliseconds(250)

  let context: NodeContext
  /// The address that other nodes may dial; nil: none.
  let address: Endpoint?
  private var listener: Socket?
  private var loops: [Thread] = []
  private var answerer: DiscoveryAnswerer?

  /// Listens, and starts no thread.
  /// - `listen`: nil: no other node can dial in.
  init(_ configuration: NodeConfiguration, listen: Endpoint?) throws(DownloadError) {
    let socket = try FetchingNode.listener(listen)
    do throws(Errno) {
      address = try socket?.localAddress()
      context = try NodeContext(configuration, listenPort: address?.port, report: { _ in })
    } catch {
      throw .system(error)
    }
    listener = socket
    context.downloadBegan()
  }

  private static func listener(_ address: Endpoint?) throws(DownloadError) -> Socket? {
    guard let address else { return nil }
    do throws(Errno) { return try Socket.listening(on: address) } catch { throw .listen(address, error) }
  }

  /// Starts the loops.
  func start() throws(Errno) {
    for i in context.mailboxes.indices {
      let loop = try NetworkLoop(context: context, index: i)
      if let socket = listener.take() { try loop.listen(on: socket) }
      loops.append(NetworkLoop.start(loop))
    }
  }

  /// Makes the node findable for those that ask for one of its files. Does nothing if it does not listen.
  /// - `keys`: the files that it has of a bucket; called on another thread.
  func answer(
    _ discovery: DiscoverySettings, keys: @escaping @Sendable (_ bucket: UInt16) -> [FileKey]
  ) throws(Errno) {
    guard let address else { return }
    answerer = try DiscoveryAnswerer(
      discovery, peer: context.configuration.identity.peerID, listener: address, complain: { _ in }, keys: keys)
  }

  /// Says goodbye on each connection as soon as its uploads have ended.
  func sayGoodbye() { context.sendToAllLoops(.shutDown(.done, grace: FetchingNode.goodbyeGrace)) }

  /// Ends all connections and threads of the node.
  func stop() {
    answerer.take()?.stop()
    sayGoodbye()
    for loop in loops { loop.join() }
    loops = []
    // No loop asks for a check any more. The thread may wait for seconds, and it holds the context.
    context.rechecker.stop()
    context.offered.removeDownloads()  // they hold the context themselves
  }
}
