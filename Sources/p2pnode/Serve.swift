// `p2pnode serve`: offers a folder's files until it is told to stop.
import ArgumentParser
import Node
import Posix
import Storage
import Wire

struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Offers the files of a folder to peers.",
    discussion: """
      Prints a line a file: its fileID, its bytes, its path below the folder. Hidden files, symbolic links and
      unfinished downloads are not served. Files that come, change or go while it runs are served or withdrawn, and
      what was hashed before is not hashed again. Ends cleanly on SIGINT and SIGTERM.
        p2pnode serve ./images --listen 0.0.0.0:9800
      With --links the first column is a link: what 'get' needs on another machine, in one word.
      """)

  /// How long a clean end may take.
  private static let grace = Duration.seconds(10)

  @Argument(help: ArgumentHelp("The folder to serve, with all that is below it.", valueName: "DIR"))
  var folder: String

  @Option(
    help: ArgumentHelp(
      "Where to accept peers; port 0: any free one. Default: [::]:9800, or any free port where that is taken.",
      valueName: "HOST:PORT"))
  var listen: String?

  @Option(help: ArgumentHelp("Bytes a second that may leave, in all: 10M, 1Gi …", valueName: "RATE"))
  var uploadLimit: ByteSize?

  @Option(help: ArgumentHelp("Peers that may be connected at a time.", valueName: "N"))
  var maxConnections = 1024

  @Option(
    help: ArgumentHelp(
      "Serve only these peers, by their 64 digits (see 'p2pnode whoami'), joined by commas. May be repeated.",
      valueName: "PEERID"))
  var allow: [String] = []

  @Flag(help: "Print a link in the place of each fileID, with this node's addresses and PeerID.")
  var links = false

  @Flag(help: "One JSON object a line on stdout, instead of the plain lines.")
  var json = false

  @Flag(help: "Say on stderr who connects and what is opened.")
  var verbose = false

  @OptionGroup var node: NodeOptions

  func validate() throws {
    guard maxConnections >= 1 else { throw ValidationError("--max-connections must be at least 1.") }
    if let uploadLimit, uploadLimit.bytes < 1_000 {
      throw ValidationError("--upload-limit must be at least 1K (1,000 bytes a second).")
    }
    if let listen, HostPort(parsing: listen) == nil {
      throw ValidationError("--listen '\(listen)' is not HOST:PORT or [IPV6]:PORT.")
    }
  }

  func run() throws { try reporting(json: json) { () throws(Failure) in try serve() } }

  private func serve() throws(Failure) {
    let allowed = try allowedPeers()
    let stop = try StopSignal()  // before any thread starts
    OpenFileLimit.raise()
    let loaded = try loadIdentity()
    var configuration = NodeConfiguration(
      identity: loaded.identity, swarmKey: try node.loadSwarmKey(), suites: try node.suites())
    configuration.connectionsMax = maxConnections
    configuration.uploadLimit = uploadLimit?.bytes
    configuration.allowedPeers = allowed
    configuration.discovery = node.discovery
    let address = try listenAddress()
    let log = ServeLog(json: json, verbose: verbose)
    let server = try startServer(configuration, address, try stateFolder(), log)
    if links { log.links(at: server.address, of: server.peerID) }
    log.listening(server.address, server.peerID)
    log.show(server, folder: folder)
    let scan = Thread.start(name: "p2p-scan") {
      do throws(ServerError) {
        try server.scan(shouldStop: { stop.hasCome }) { log.print($0) }
        if !stop.hasCome { log.ready() }
      } catch {
        Console.error("p2pnode: \(Failure(error, listen: address).message)")
      }
    }
    stop.wait()
    log.stopping()
    // A second signal means: now, also while a slow disk is still being read.
    Thread.start(name: "p2p-stop") {
      stop.wait()
      Process.exit(0)
    }.detach()
    scan.join()
    server.shutDown(grace: Serve.grace)
    log.stopped(uploadedBytes: server.uploadedBytes)
    _ = consume loaded
  }

  /// A server on the address; on any free port where nobody asked for this one and it is taken, since those who look for
  /// the node are told its port.
  private func startServer(
    _ configuration: NodeConfiguration, _ address: SocketAddress, _ state: String, _ log: ServeLog
  ) throws(Failure) -> Server {
    func start(_ address: SocketAddress) throws(ServerError) -> Server {
      try Server(configuration, folder: folder, listen: address, stateFolder: state) { log.print($0) }
    }
    do throws(ServerError) {
      do throws(ServerError) { return try start(address) } catch {
        guard case .listen(let errno) = error, errno.isAddressInUse, listen == nil, !node.noLan else { throw error }
        return try start(SocketAddress(ip: address.ip, port: 0))
      }
    } catch {
      throw Failure(error, listen: address)
    }
  }

  /// The identity of `--identity`, or of the state folder; a fresh one where that is in use by another process.
  private func loadIdentity() throws(Failure) -> LoadedIdentity {
    if let path = node.identity {
      do throws(SecretFileError) { return try LoadedIdentity.file(path) } catch { throw Failure(error) }
    }
    let file = try LoadedIdentity.makePlaceOfUser()
    do throws(SecretFileError) { return try LoadedIdentity.file(file) } catch {
      if case .inUse = error { return LoadedIdentity.ephemeral() }
      throw Failure(error)
    }
  }

  /// Nil: everybody.
  private func allowedPeers() throws(Failure) -> Set<PeerID>? {
    var allowed: Set<PeerID> = []
    for text in allow.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
      guard let peer = PeerID(hex: text) else {
        throw Failure(
          Exit.usage,
          "--allow '\(Console.escaped(String(text)))' is not a PeerID: that is 64 hexadecimal digits, as 'p2pnode whoami' "
            + "prints them")
      }
      allowed.insert(peer)
    }
    return allow.isEmpty ? nil : allowed
  }

  private func stateFolder() throws(Failure) -> String {
    do throws(StateFoldersError) {
      let folders = try StateFolders.ofUser()
      try StateFolders.make(folders.state)
      return folders.state
    } catch {
      throw Failure(error)
    }
  }

  private func listenAddress() throws(Failure) -> SocketAddress {
    let host = HostPort(parsing: listen ?? "[::]:9800")!
    do throws(ResolutionFailure) { return try host.resolve()[0] } catch {
      throw Failure(Exit.ioError, "cannot listen on \(host): \(error.reason); choose another with --listen HOST:PORT")
    }
  }
}
