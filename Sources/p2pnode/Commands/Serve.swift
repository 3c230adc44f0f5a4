// `p2pnode serve`: offers a folder's files until it is told to stop.
import ArgumentParser
import CommandSettings
import PeerNode
import Posix
import Storage
import Transfer
import Wire

struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Offers the files of a folder to peers.",
    discussion: """
      Prints a line for each file: its fileID, its size in bytes, and its path in DIR. When all files of a folder \
      are hashed, 'serve' prints a line for the folder too: its ID, the size of its files in bytes, and its path \
      with a / at the end; ./ is DIR itself. The ID of a folder stands for everything in it. With --links the first \
      column is a link: one word with all that 'get' needs on another machine.

      'serve' leaves out hidden files, special files, links that lead out of DIR and unfinished downloads, and \
      prints how many it left out. While it runs, it offers new and changed files and withdraws removed ones. A \
      changed folder gets another ID, at most every 10 s. 'serve' stores hashes, so a file that has not changed is \
      not hashed again.

      SIGINT and SIGTERM end 'serve' cleanly. On SIGHUP it reads its settings again (see 'p2pnode help config').

        p2pnode serve images
        p2pnode serve images --listen 127.0.0.1:9800 --upload-limit 10M \\
            --metrics 127.0.0.1:9464
      """)

  /// The longest time that a clean end may take.
  private static let grace = Duration.seconds(10)

  @Argument(
    help: ArgumentHelp("The folder to serve, with its subfolders.", valueName: "DIR"),
    completion: .directory)
  var folder: String

  @Option(
    help: ArgumentHelp(
      "Serve only the peers with these PeerIDs (see 'p2pnode whoami'), separated by commas. May be repeated.",
      valueName: "PEERID"))
  var allow: [String] = []

  @Option(
    help: ArgumentHelp(
      "Answer GET /metrics (for Prometheus), /ready and /live at this address, for example 127.0.0.1:9464. Anyone who "
        + "can reach the address can read them.", valueName: "HOST:PORT"))
  var metrics: String?

  @Option(
    help: ArgumentHelp(
      "Which folders get an ID: top (DIR and each folder directly in it), all, or none (default top).",
      valueName: "WHICH"),
    completion: .list(ServingRules.Folders.allCases.map(\.rawValue)))
  var folders: String?

  @Flag(help: "Print a link with this node's addresses and PeerID instead of each ID.")
  var links = false

  @Flag(help: "Print each event as a JSON object, one a line, on stdout, instead of plain lines.")
  var json = false

  @Flag(help: "Print only errors on stderr, and show no screen (same as --log-level error).")
  var quiet = false

  @Flag(help: "Print on stderr which peers connect and what they open (same as --log-level debug).")
  var verbose = false

  @OptionGroup var contents: FolderOptions

  @OptionGroup var node: NodeOptions

  func validate() throws {
    guard [quiet, verbose, node.swarm.logLevel != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("--quiet, --verbose and --log-level exclude each other: choose one.")
    }
  }

  func run() throws {
    ServiceManager.keepHandedSocket()
    defer { Console.finish() }
    try reporting(json: json) { () throws(Failure) in
      do throws(Failure) { try serve() } catch {
        ServiceManager.dropWaiting()
        throw error
      }
    }
  }

  private func serve() throws(Failure) {
    let settings = try settings()
    Console.show(settings.logLevel)
    let stop = try StopSignal(takesHangUp: true)  // before any thread starts
    OpenFileLimit.raise()
    Heap.returnLargeBuffers()
    // Report a wrong folder before any other failure.
    do throws(Errno) { _ = try Directory(folder) } catch {
      throw Failure(ServerError.folder(error), listen: .any(port: 0))
    }
    let loaded = try loadIdentity(settings)
    var configuration = NodeConfiguration(
      identity: loaded.identity, swarmKey: try settings.loadSwarmKey(), suites: try settings.suites())
    configuration.connectionsMax = settings.maxConnections
    configuration.uploadLimit = settings.uploadLimit
    configuration.uploadLimitPerPeer = settings.uploadLimitPerPeer
    configuration.zone = settings.zone
    configuration.allowedPeers = settings.allow
    configuration.discovery = settings.discovery
    let log = ServeLog(json: json, quiet: quiet)
    let server = try startServer(configuration, settings, log)
    let metrics = try pages(of: server, settings)
    if links { log.links(at: server.address, of: server.peerID) }
    log.listening(server.address, server.peerID)
    settings.warnOfOpenFiles(granted: server.connectionsMax, standard: ConnectionPlaces.establishedStandard)
    log.show(server, folder: folder)
    if let metrics { Console.log(.info, "metrics at http://\(metrics.address)/metrics") }
    ServiceManager.notify("READY=1", "STATUS=Hashing; listening on \(server.address)")
    let scan = Thread.start(name: "p2p-scan") {
      do throws(ServerError) {
        try server.scan(shouldStop: { stop.hasCome }) { log.print($0) }
        if !stop.hasCome {
          log.ready(folder)
          ServiceManager.notify("STATUS=Serving; listening on \(server.address)")
        }
      } catch {
        let failure = Failure(error, listen: server.address)
        failure.say(json: json)
        Console.finish()
        Process.exit(failure.code)  // there is nothing to serve, and no peer is connected yet
      }
    }
    var reloading = ServeReload(settings, configuration.swarmKey)
    stop.wait(onHangUp: {
      ServiceManager.notifyReloading()
      reloading.reload(server, log) { () throws(Failure) in try self.settings() }
      ServiceManager.notify("READY=1")
    })
    ServiceManager.notify("STOPPING=1")
    log.stopping()
    // A second signal ends the process at once, even while a slow disk is still being read.
    Thread.start(name: "p2p-stop") {
      stop.wait()
      Process.exit(0)
    }.detach()
    scan.join()
    server.shutDown(grace: Serve.grace)
    metrics?.stop()
    log.stopped(uploadedBytes: server.uploadedBytes)
    _ = consume loaded
  }

  private func settings() throws(Failure) -> Settings {
    var others: [SettingKey: [String]] = [:]
    others[.allow] = allow
    if verbose { others[.logLevel] = [LogLevel.debug.rawValue] }
    if quiet { others[.logLevel] = [LogLevel.error.rawValue] }
    others[.metrics] = metrics.map { [$0] }
    others[.folders] = folders.map { [$0] }
    others.merge(contents.given) { one, _ in one }
    return try node.settings(others)
  }

  /// Starts the server on the socket from a service manager, or else at the address of the settings. If that is the
  /// default and is taken, it uses any free port, because nodes that discover this one learn its port.
  private func startServer(
    _ configuration: NodeConfiguration, _ settings: Settings, _ log: ServeLog
  ) throws(Failure) -> Server {
    let state = try stateFolder()
    if let server = try startOnHandedSocket(configuration, settings, state, log) { return server }
    func start(_ address: Endpoint) throws(ServerError) -> Server {
      try Server(
        configuration, folder: folder, listen: address, stateFolder: state, rules: settings.rules
      ) { log.print($0) }
    }
    let address = try resolved(settings.listen)
    do throws(ServerError) {
      do throws(ServerError) { return try start(address) } catch {
        guard case .listen(let errno) = error, errno.isAddressInUse, !settings.isSet(.listen), settings.lan != .off
        else { throw error }
        Console.log(.warning, "warning: port \(address.port) is in use; listening on any free one")
        return try start(Endpoint(ip: address.ip, port: 0))
      }
    } catch {
      throw Failure(error, listen: address)
    }
  }

  private func pages(of server: Server, _ settings: Settings) throws(Failure) -> MetricsPages? {
    guard let address = settings.metrics else { return nil }
    do throws(MetricsFailure) { return try MetricsPages(of: server, at: address) } catch { throw Failure(error) }
  }

  private func startOnHandedSocket(
    _ configuration: NodeConfiguration, _ settings: Settings, _ state: String, _ log: ServeLog
  ) throws(Failure) -> Server? {
    let handed: Socket?
    do throws(HandedSocketError) { handed = try ServiceManager.handedSocket() } catch {
      throw Failure(Exit.usage, "\(error); look at the .socket unit")
    }
    guard let socket = handed else { return nil }
    do throws(ServerError) {
      return try Server(
        configuration, folder: folder, socket: socket, stateFolder: state, rules: settings.rules
      ) { log.print($0) }
    } catch {
      throw Failure(error, listen: .any(port: 0))
    }
  }

  /// Loads the identity of the settings or of the state folder. If another process uses the state folder's, makes a
  /// fresh one.
  private func loadIdentity(_ settings: Settings) throws(Failure) -> LoadedIdentity {
    if let path = settings.identity {
      do throws(SecretFileError) { return try LoadedIdentity.file(path) } catch { throw Failure(error) }
    }
    let file = try LoadedIdentity.makePlaceOfUser()
    do throws(SecretFileError) { return try LoadedIdentity.file(file) } catch {
      guard case .inUse = error else { throw Failure(error) }
      Console.log(
        .warning, "warning: \(error); this serve uses a temporary PeerID; links to it stop working when it ends")
      return LoadedIdentity.ephemeral()
    }
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

  private func resolved(_ host: HostPort) throws(Failure) -> Endpoint {
    do throws(ResolutionFailure) { return try host.resolve()[0] } catch {
      throw Failure(
        Exit.ioError, "cannot listen on \(host): \(error.reason); choose another address with --listen HOST:PORT")
    }
  }
}
