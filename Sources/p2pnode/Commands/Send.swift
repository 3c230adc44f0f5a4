// `p2pnode send`: offers single files and folders until they are fetched.
import ArgumentParser
import CommandSettings
import Content
import PeerNode
import Posix
import Storage
import Synchronization
import Wire

struct Send: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send", abstract: "Offers files and folders, and prints the command that fetches them.",
    discussion: """
      Offers each PATH, and nothing else in the folder where it is. When everything is hashed, 'send' prints one \
      line: the command to paste on the other machine, with the addresses of this one. That command works while \
      'send' runs. If you start the same 'send' again on the same port, the command works again. On stderr 'send' \
      shows which peers fetch.

      'send' ends on Ctrl-C. With --count N it ends after N fetches. A fetch counts when this node has sent all that \
      it offers to one peer, and the peer asks for nothing more. A fetch does not count if the peer had a part \
      before or gets a part from another peer.

        p2pnode send images/disk.img --count 1
        p2pnode send images report.pdf --upload-limit 10M
      """)

  /// The longest time that a clean end may take.
  private static let grace = Duration.seconds(10)

  @Argument(help: ArgumentHelp("Files and folders to offer.", valueName: "PATH"), completion: .file())
  var paths: [String] = []

  @Option(help: ArgumentHelp("End when this node has sent everything to N peers.", valueName: "N"))
  var count: Int?

  @Option(
    help: ArgumentHelp(
      "Send only to the peers with these PeerIDs (see 'p2pnode whoami'), separated by commas. May be repeated.",
      valueName: "PEERID"))
  var allow: [String] = []

  @Flag(help: "Print each event as a JSON object, one a line, on stdout, instead of the plain line.")
  var json = false

  @Flag(help: "Print only errors on stderr, and show no screen (same as --log-level error).")
  var quiet = false

  @Flag(help: "Print on stderr which peers connect and what they open (same as --log-level debug).")
  var verbose = false

  @OptionGroup var contents: FolderOptions

  @OptionGroup var node: NodeOptions

  /// What ends the command.
  private enum Ending: Sendable {
    case stopped
    case enough
    case failed(Failure)
  }

  func validate() throws {
    guard !paths.isEmpty else { throw ValidationError("Name at least one file or folder.") }
    guard count ?? 1 >= 1 else { throw ValidationError("--count is a number of fetches: 1 or more.") }
    guard [quiet, verbose, node.swarm.logLevel != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("--quiet, --verbose and --log-level exclude each other: choose one.")
    }
  }

  func run() throws {
    defer { Console.finish() }
    try reporting(json: json) { () throws(Failure) in try send() }
  }

  private func send() throws(Failure) {
    let settings = try settings()
    Console.show(settings.logLevel)
    let sent = try SentPaths(paths)
    let stop = try StopSignal()  // before any thread starts
    OpenFileLimit.raise()
    Heap.returnLargeBuffers()
    let loaded = try LoadedIdentity.ofSender(
      settings, isNamed: node.swarm.identity != nil, isQuiet: quiet, of: sent.realPaths)
    let endings = BlockingQueue<Ending>()
    let log = SendLog(json: json, quiet: quiet, count: count) { endings.put(.enough) }
    var configuration = NodeConfiguration(
      identity: loaded.identity, swarmKey: try settings.loadSwarmKey(), suites: try settings.suites())
    configuration.connectionsMax = settings.maxConnections
    configuration.uploadLimit = settings.uploadLimit
    configuration.allowedPeers = settings.allow
    configuration.discovery = settings.discovery
    let watch = FetchWatch { log.print($0) }
    configuration.fetchWatch = watch
    let running = try startNode(configuration, settings, log)
    let shares = try share(sent, on: running, settings)
    guard let address = running.address else { preconditionFailure("it listens") }
    log.listening(address, running.peerID)
    settings.warnOfOpenFiles(granted: running.connectionsMax)
    log.show(running, watch, paths: paths)
    let hashing = Thread.start(name: "p2p-scan") {
      do throws(Failure) {
        let offers = try Send.hash(sent, shares, log) { stop.hasCome }
        guard !stop.hasCome else { return }
        log.ready(offers, watch, at: address, of: running.peerID, isPrivate: settings.swarmKey != nil)
      } catch {
        endings.put(.failed(error))
      }
    }
    Thread.start(name: "p2p-stop") {
      stop.wait()
      endings.put(.stopped)
      // A second signal ends the process at once, even while a slow disk is still being read.
      stop.wait()
      Process.exit(0)
    }.detach()
    let ending = endings.take() ?? .stopped
    log.stopping()
    hashing.join()
    running.shutDown(grace: Send.grace)
    log.stopped(uploadedBytes: running.uploadedBytes)
    _ = consume loaded
    if case .failed(let failure) = ending { throw failure }
  }

  private func settings() throws(Failure) -> Settings {
    var others: [SettingKey: [String]] = [:]
    others[.allow] = allow
    if verbose { others[.logLevel] = [LogLevel.debug.rawValue] }
    if quiet { others[.logLevel] = [LogLevel.error.rawValue] }
    others.merge(contents.given) { one, _ in one }
    return try node.settings(others)
  }

  /// Starts a node at the address of `--listen`. Without that option, it uses the default port, or any free port if
  /// that one is taken: the printed line names the port.
  private func startNode(
    _ configuration: NodeConfiguration, _ settings: Settings, _ log: SendLog
  ) throws(Failure) -> Node {
    let host = node.listen == nil ? HostPort(host: "::", port: ProtocolDefaults.port) : settings.listen
    let address: Endpoint
    do throws(ResolutionFailure) { address = try host.resolve()[0] } catch {
      throw Failure(
        Exit.ioError, "cannot listen on \(host): \(error.reason); choose another address with --listen HOST:PORT")
    }
    do throws(ServerError) {
      do throws(ServerError) { return try Node(configuration, listen: address) { log.print($0) } } catch {
        guard case .listen(let errno) = error, errno.isAddressInUse, node.listen == nil else { throw error }
        return try Node(configuration, listen: address.with(port: 0)) { log.print($0) }
      }
    } catch {
      throw Failure(error, listen: address)
    }
  }

  private func share(_ sent: SentPaths, on node: Node, _ settings: Settings) throws(Failure) -> [FolderShare] {
    let state: String
    do throws(StateFoldersError) {
      let folders = try StateFolders.ofUser()
      try StateFolders.make(folders.state)
      state = folders.state
    } catch {
      throw Failure(error)
    }
    var shares: [FolderShare] = []
    for share in sent.shares {
      do throws(ServerError) {
        shares.append(try node.share(share.folder, stateFolder: state, rules: share.rules(settings.rules)))
      } catch {
        node.shutDown(grace: .zero)
        throw Failure(error, listen: .any(port: 0))
      }
    }
    return shares
  }

  /// Hashes everything that is sent. Returns nothing if it was stopped.
  private static func hash(
    _ sent: SentPaths, _ shares: [FolderShare], _ log: SendLog, shouldStop: @escaping @Sendable () -> Bool
  ) throws(Failure) -> [SentOffer] {
    var offers: [SentOffer] = []
    for (paths, share) in zip(sent.shares, shares) {
      let reasons = Mutex<[String: SkipReason]>([:])
      do throws(Errno) {
        try share.scan(shouldStop: shouldStop) { event in
          if case .skipped(let skipped) = event { reasons.withLock { $0[skipped.path] = skipped.reason } }
          log.print(event, of: paths)
        }
      } catch {
        throw Failure(Exit.noInput, "cannot send \(error); name a folder that this user can read")
      }
      if shouldStop() { return [] }
      for offer in try paths.offers(of: share, reasons.withLock { $0 })
      where !offers.contains(where: { $0.id == offer.id }) {
        offers.append(offer)
      }
    }
    return offers
  }
}
