// `p2pnode get`: fetches one file from many peers at once.
import ArgumentParser
import Content
import Node
import Posix
import Storage
import Transfer
import Wire

struct Get: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetches a file from peers, many at once.",
    discussion: """
      Nothing that a peer sends is trusted: a file that is finished is the right one. What was interrupted is
      continued by the same command. Besides the peers that --peer names, those on this machine and its local
      networks are found.
        p2pnode get FILEID
        p2pnode get FILEID --peer 192.0.2.1:9800 --peer 192.0.2.2:9800
        p2pnode get 'p2pnode:FILEID?name=disk.img&peer=192.0.2.1:9800'
      Also asked are the peers in P2PNODE_PEERS (separated by commas or white space) and in the file ~/.config/p2pnode/peers
      (one a line, # begins a comment; below $P2PNODE_HOME/config where that is set).
      """)

  @Argument(
    help: ArgumentHelp(
      "64 hexadecimal digits, as printed by 'p2pnode serve', or a link, as printed by 'p2pnode link'.",
      valueName: "FILEID"))
  var fileID: String

  @Option(
    help: ArgumentHelp(
      "A peer to ask; all addresses of a host are, and it is looked up again while the download runs. With PEERID, "
        + "nobody else may answer. May be repeated.",
      valueName: "[PEERID@]HOST:PORT"))
  var peer: [String] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where to put it: a file, a folder for the name that the peers suggest, or - for stdout.", valueName: "PATH"))
  var output: String?

  @Option(help: ArgumentHelp("Chunks fetched in parallel.", valueName: "N"))
  var workers = 8

  @Option(help: ArgumentHelp("Times that a chunk is tried again without any part of it coming.", valueName: "N"))
  var retries = 3

  @Option(help: ArgumentHelp("Seconds that a chunk may take.", valueName: "SECONDS"))
  var chunkTimeout = 30.0

  @Option(
    help: ArgumentHelp("Where others may fetch what is here so far; port 0: any free one.", valueName: "HOST:PORT"))
  var listen = "[::]:0"

  @Flag(help: "Give nothing to others.")
  var noUpload = false

  @Option(help: ArgumentHelp("Bytes a second that may leave, in all: 10M, 1Gi …", valueName: "RATE"))
  var uploadLimit: ByteSize?

  @Option(help: ArgumentHelp("Peers that may be connected from outside at a time.", valueName: "N"))
  var maxConnections = 1024

  @Option(
    help: ArgumentHelp(
      "Go on offering the finished file: --keep-serving until it is stopped, --keep-serving=10m for a time (30s, 2h).",
      valueName: "TIME"))
  var keepServing: Stay?

  @Flag(help: "One JSON object an event on stdout.")
  var json = false

  @Flag(help: "At the end, say what took the time, and what would have made it faster.")
  var explain = false

  @Flag(help: "Nothing on stderr but errors.")
  var quiet = false

  @Flag(help: "A line for every chunk, also on a terminal.")
  var verbose = false

  @Flag(help: "Replace the output if it exists.")
  var force = false

  @OptionGroup var node: NodeOptions

  func validate() throws {
    guard (1...1024).contains(workers) else { throw ValidationError("--workers must be from 1 to 1024.") }
    guard (0...1000).contains(retries) else { throw ValidationError("--retries must be from 0 to 1000.") }
    guard chunkTimeout >= 0.1 && chunkTimeout <= 86_400 else {
      throw ValidationError("--chunk-timeout must be from 0.1 to 86400 seconds.")
    }
    guard !(json && output == "-") else { throw ValidationError("--json and -o - both want stdout: choose one.") }
    guard !(noUpload && keepServing != nil) else {
      throw ValidationError("--no-upload and --keep-serving exclude each other.")
    }
    guard !(output == "-" && keepServing != nil) else {
      throw ValidationError("-o - keeps nothing that --keep-serving could offer.")
    }
    guard maxConnections >= 1 else { throw ValidationError("--max-connections must be at least 1.") }
    if let uploadLimit, uploadLimit.bytes < 1_000 {
      throw ValidationError("--upload-limit must be at least 1K (1,000 bytes a second).")
    }
    guard HostPort(parsing: listen) != nil else {
      throw ValidationError("--listen '\(listen)' is not HOST:PORT or [IPV6]:PORT.")
    }
    guard !(quiet && explain && !json) else { throw ValidationError("--quiet and --explain exclude each other.") }
    guard !(quiet && verbose) else { throw ValidationError("--quiet and --verbose exclude each other.") }
  }

  func run() throws { try reporting(json: json) { () throws(Failure) in try get() } }

  private func get() throws(Failure) {
    let wanted = try Wanted(typed: fileID)
    let peers = try KnownPeers.all(options: peer, link: wanted.link)
    guard !peers.isEmpty || !node.noLan else {
      throw Failure(Exit.unavailable, "no peer is known: name those that have the file \(KnownPeers.places)")
    }
    let target = try downloadTarget(suggested: wanted.link?.name)
    let stop = try StopSignal()  // before any thread starts
    OpenFileLimit.raise()
    let loaded = try loadIdentity()
    var configuration = NodeConfiguration(
      identity: loaded.identity, swarmKey: try node.loadSwarmKey(), suites: try node.suites())
    configuration.discovery = node.discovery
    configuration.connectionsMax = maxConnections
    configuration.uploadLimit = uploadLimit?.bytes
    let sharing = target == .standardOutput ? nil : try sharing()
    var settings = DownloadSettings()
    settings.maxWorkers = workers
    settings.maxRetries = retries
    settings.chunkTimeout = .nanoseconds(Int64(chunkTimeout * 1e9))
    let downloader = Downloader(configuration, settings: settings, sharing: sharing)
    Thread.start(name: "p2p-stop") {
      stop.wait()
      // A stream keeps nothing, and its reader may never read again.
      if target == .standardOutput { Process.exit(stop.exitCode) }
      downloader.cancel()
      // A second signal means: now.
      stop.wait()
      Process.exit(stop.exitCode)
    }.detach()
    let log = GetLog(
      json: json ? GetJSON(explains: explain, maxWorkers: workers) : nil, explains: explain ? workers : nil,
      quiet: quiet, verbose: verbose)
    do throws(DownloadError) {
      log.ended(
        try downloader.downloadFile(wanted.fileID, length: wanted.link?.length, from: peers, to: target) {
          log.print($0)
        })
    } catch {
      var failure = log.failure(error, stop: stop, fileID: wanted.fileID)
      log.failed(error, failure)
      failure.isTold = true
      throw failure
    }
    _ = consume loaded
  }

  private func sharing() throws(Failure) -> Sharing? {
    if noUpload { return nil }
    let stay: Sharing.Stay? =
      switch keepServing {
      case nil: nil
      case .forever: .untilCancelled
      case .seconds(let count): .for(.seconds(count))
      }
    let host = HostPort(parsing: listen)!
    do throws(ResolutionFailure) { return Sharing(listen: try host.resolve()[0], stay: stay) } catch {
      throw Failure(Exit.ioError, "cannot listen on \(host): \(error.reason); choose another with --listen HOST:PORT")
    }
  }

  private func loadIdentity() throws(Failure) -> LoadedIdentity {
    guard let path = node.identity else { return LoadedIdentity.ephemeral() }
    do throws(SecretFileError) { return try LoadedIdentity.file(path) } catch { throw Failure(error) }
  }

  /// A folder keeps the suggested name; anything else is the file's own path.
  private func downloadTarget(suggested name: String?) throws(Failure) -> DownloadTarget {
    var target = try place()
    target.suggestedName = name
    return target
  }

  private func place() throws(Failure) -> DownloadTarget {
    guard let output else { return DownloadTarget(folder: ".", replaces: force) }
    if output == "-" { return .standardOutput }
    if Directory.exists(output) { return DownloadTarget(folder: output, replaces: force) }
    let parts = PathParts(output)
    guard !parts.name.isEmpty, parts.name != ".", parts.name != "..", !output.hasSuffix("/") else {
      throw Failure(Exit.cannotCreate, "\(output): no such folder; make it first, or name a file")
    }
    return DownloadTarget(folder: parts.folder, name: parts.name, replaces: force)
  }
}
