// `p2pnode get`: fetches files and folders from many peers at once.
import ArgumentParser
import CommandSettings
import Content
import PeerNode
import Posix
import Storage
import Transfer
import Wire

struct Get: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Fetches files and folders from many peers in parallel.",
    discussion: """
      'get' verifies all data that peers send, so a finished file is always the right one. The same command \
      continues an interrupted download.

      'get' asks the peers that --peer names, and the peers that it finds on this machine and its local networks. It \
      also asks the peers in P2PNODE_PEERS (separated by commas or white space) and in the file \
      ~/.config/p2pnode/peers, or $P2PNODE_HOME/config/peers if P2PNODE_HOME is set. That file has one peer a line; \
      # begins a comment. 'p2pnode help config' explains how to set options permanently.

      ID may also be a link, which can name peers: p2pnode:ID/name=disk.img/peer=192.0.2.1:9800. A link needs no \
      quotes in a shell.

      Several IDs are fetched in parallel, --jobs at a time. If one fails, the others continue. 'get' prints the \
      path of each finished file or folder on stdout. Lines on stderr begin with the first digits of the ID in \
      brackets; JSON events have the member 'id'. The exit code is that of the first ID that failed. A file for \
      --input-file has one ID or link a line, with a tab and an output path after it if the output is not in the \
      place of -o. Lines that begin with # are comments.

      To fetch a file that another 'p2pnode serve' offers on this machine or on the local network:

        ID=\(ExampleID.file)
        p2pnode get $ID -o copy.img

      To ask a given peer, save the file in the current folder, and then offer it to others for ten minutes:

        p2pnode get $ID \\
            --peer 127.0.0.1:9800 -o ./ --keep-serving=10m

      To pipe the file into another program:

        p2pnode get $ID -o - | sha256sum

      To fetch every ID of a list, two at a time:

        p2pnode id images/disk.img | cut -c 1-64 | p2pnode get --input-file - --jobs 2
      """)

  @Argument(
    help: ArgumentHelp(
      "The ID of a file or folder (64 hexadecimal digits, printed by 'p2pnode serve'), or a link (printed by "
        + "'p2pnode link'). May be repeated.",
      valueName: "ID"))
  var ids: [String] = []

  @Option(
    help: ArgumentHelp("Read IDs and links from this file, one a line; - is standard input.", valueName: "FILE"),
    completion: .file())
  var inputFile: String?

  @Option(help: ArgumentHelp("Fetch at most N IDs at a time (default 4).", valueName: "N"))
  var jobs: String?

  @Option(
    help: ArgumentHelp(
      "A peer to ask (default port \(ProtocolDefaults.port)). 'get' uses all addresses of the host name, and looks the name up "
        + "again during the download. With PEERID, 'get' accepts only that peer at the address, or a peer that it found "
        + "there itself. May be repeated.",
      valueName: "[PEERID@]HOST[:PORT]"))
  var peer: [String] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The output, or - for stdout (a folder becomes a tar archive). For a file: its new path, or an existing folder, "
        + "where the file gets the name that the peers suggest. For a folder: its new path; with a / at the end, the "
        + "folder to put it into. For several IDs: one folder for all outputs.",
      valueName: "PATH"),
    completion: .file())
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Number of parallel workers (default 8). Each worker fetches from one peer at a time, so there are never more "
        + "workers than peers.", valueName: "N"))
  var workers: String?

  @Option(
    help: ArgumentHelp("Number of retries of a chunk after every peer that has it failed (default 3).", valueName: "N"))
  var retries: String?

  @Option(help: ArgumentHelp("Time limit for one chunk, in seconds (default 30).", valueName: "SECONDS"))
  var chunkTimeout: String?

  @Option(
    help: ArgumentHelp(
      "Answer GET /metrics (for Prometheus), /ready (whether the download is complete) and /live at this address, for "
        + "example 127.0.0.1:9464.",
      valueName: "HOST:PORT"))
  var metrics: String?

  @Option(
    help: ArgumentHelp(
      "How long to wait for peers while there is no progress: 30s, 10m, 2h, forever, or none (default). With it, 'get' "
        + "may start before 'serve', and continues after a network failure. With none, 'get' ends when no peer or no "
        + "retry is left.",
      valueName: "TIME"))
  var wait: String?

  @Option(
    help: ArgumentHelp(
      "Download limit in bytes per second, for example 10M or 1Gi; none for no limit (default none).", valueName: "RATE"
    ))
  var downloadLimit: String?

  @Flag(help: "Send nothing to other peers.")
  var noUpload = false

  @Option(
    help: ArgumentHelp(
      "Offer the finished file to other peers: --keep-serving until 'get' is stopped, --keep-serving=10m for 10 minutes.",
      valueName: "TIME"))
  var keepServing: Stay?

  @Option(
    help: ArgumentHelp(
      "Run this program after each completed download, with the absolute path of the output as its only argument and "
        + "the ID in P2PNODE_ID. 'get' starts it without a shell. Its output goes to stderr. If it fails, 'get' prints an "
        + "error and does not change its own exit code.",
      valueName: "PROGRAM"),
    completion: .file())
  var exec: String?

  @Flag(help: "Print each event as a JSON object, one a line, on stdout.")
  var json = false

  @Flag(help: "At the end, print what took the time and what would make the download faster.")
  var explain = false

  @Flag(help: "Print only errors on stderr.")
  var quiet = false

  @Flag(help: "Print a line for every chunk, also on a terminal.")
  var verbose = false

  @Flag(
    help: ArgumentHelp(
      "Replace the file that -o names, if it exists. 'get' never replaces a file under a name that peers suggest. With "
        + "--update: update the folder even if it seems to be another one."))
  var force = false

  @OptionGroup var folder: FolderArguments

  @OptionGroup var node: NodeOptions

  /// Whether to print in the form for several downloads. It does not depend on how many IDs the input file has.
  private var isSeveral: Bool { ids.count > 1 || inputFile != nil }

  func validate() throws {
    guard !ids.isEmpty || inputFile != nil else {
      throw ValidationError("Name an ID, or a file of IDs with --input-file.")
    }
    guard output != "" else { throw ValidationError("-o has no path: name a file or a folder, or leave -o out.") }
    try folder.check(output: output, force: force, stays: keepServing != nil, isSeveral: isSeveral)
    guard !(isSeveral && output == "-") else {
      throw ValidationError("several IDs cannot go to stdout: name a folder with -o, or fetch one at a time.")
    }
    guard !(json && output == "-") else { throw ValidationError("--json and -o - both want stdout: choose one.") }
    guard !(noUpload && keepServing != nil) else {
      throw ValidationError("--no-upload and --keep-serving exclude each other: choose one.")
    }
    guard !(output == "-" && keepServing != nil) else {
      throw ValidationError(
        "--keep-serving needs an output on the disk: name a file with -o, or leave --keep-serving out.")
    }
    guard exec != "" else { throw ValidationError("--exec has no program: name one, or leave --exec out.") }
    guard !(exec != nil && (output == "-" || folder.dryRun)) else {
      throw ValidationError(
        "--exec runs a program for an output on the disk, and \(output == "-" ? "-o -" : "--dry-run") makes none: leave one "
          + "of the two out.")
    }
    guard [quiet, verbose, node.swarm.logLevel != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("--quiet, --verbose and --log-level exclude each other: choose one.")
    }
    guard !(quiet && explain && !json) else {
      throw ValidationError("--quiet and --explain exclude each other: choose one.")
    }
  }

  func run() throws {
    try reporting(json: json) { () throws(Failure) in
      if isSeveral { try getSeveral() } else { try get(try Wanted(typed: ids[0])) }
    }
  }

  private func get(_ wanted: Wanted) throws(Failure) {
    let set = try settings()
    let peers = try KnownPeers.all(options: peer, link: wanted.link)
    let target = try downloadTarget(output, suggested: wanted.link?.name)
    let folder = try folder.options(force: force)
    guard !peers.isEmpty || set.lan != .off || target.isTaken else { throw Failure.noPeerIsKnown }
    let stop = try StopSignal(takesHangUp: true)  // before any thread starts
    OpenFileLimit.raise()
    let loaded = try loadIdentity(set)
    let configuration = try configuration(set, loaded.identity)
    let sharing = target.isStandardOutput ? nil : try sharing(set)
    let downloader = Downloader(configuration, settings: downloadSettings(set), sharing: sharing)
    let after = exec.map { AfterDownload($0) }
    let reload = makeReload(set)
    // A stream leaves nothing on the disk, and its reader may never read again. So a stop ends it at once.
    let metrics = GetMetrics([wanted.fileID], isInZone: set.zone != nil)
    let pages = try pages(of: metrics, set) { downloader.figures }
    defer { pages?.stop() }
    stop.whenItComes(isAtOnce: target.isStandardOutput) {
      reload { downloader.limit(uploads: $0, uploadsPerPeer: $1, downloads: $2) }
    } _: {
      downloader.cancel()
      after?.stop(stop.signal)
    }
    let log = GetLog(
      json: json ? GetJSON(explains: explain ? Explaining(set) : nil) : nil,
      explains: explain ? Explaining(set) : nil,
      after: after?.observer(of: wanted.fileID, isOneOfSeveral: false, json: json),
      stays: keepServing, quiet: quiet || set.logLevel < .info || folder.isPlanOnly || isText(target),
      verbose: verbose || set.logLevel == .debug, plans: folder.isPlanOnly, updates: folder.updates,
      metrics: pages == nil ? nil : metrics.observer(0))
    do throws(DownloadError) {
      log.ended(
        try downloader.downloadFile(
          wanted.fileID, length: wanted.link?.length, from: peers, to: target, folder: folder
        ) {
          log.print($0)
        })
    } catch {
      var failure = log.failure(error, stop: stop, fileID: wanted.fileID, target: target)
      log.failed(error, failure)
      failure.isTold = true
      throw failure
    }
    after?.finish()
    _ = consume loaded
  }

  /// Returns what SIGHUP does: it reads the settings again and takes over their limits.
  func makeReload(_ set: Settings) -> @Sendable (_ take: (UInt64?, UInt64?, UInt64?) -> Void) -> Void {
    // Used only by the thread that waits for signals.
    nonisolated(unsafe) let reload = GetReload(set, isQuiet: quiet, settings)
    return { reload.reload($0) }
  }

  /// Whether the content itself goes to the terminal. Then no screen is drawn over it.
  private func isText(_ target: DownloadTarget) -> Bool {
    target.isStandardOutput && Terminal.isTerminal(.standardOutput) && !verbose
  }

  func settings() throws(Failure) -> Settings {
    var others: [SettingKey: [String]] = [:]
    others[.jobs] = jobs.map { [$0] }
    others[.workers] = workers.map { [$0] }
    others[.retries] = retries.map { [$0] }
    others[.chunkTimeout] = chunkTimeout.map { [$0] }
    others[.wait] = wait.map { [$0] }
    others[.downloadLimit] = downloadLimit.map { [$0] }
    others[.metrics] = metrics.map { [$0] }
    if quiet { others[.logLevel] = [LogLevel.error.rawValue] }
    return try node.settings(others)
  }

  func loadIdentity(_ settings: Settings) throws(Failure) -> LoadedIdentity {
    try LoadedIdentity.ofGetter(settings, isNamed: node.swarm.identity != nil, isQuiet: quiet)
  }

  /// Returns where the output goes. In a folder it gets the suggested name; any other path is the file's own path.
  func downloadTarget(_ output: String?, suggested name: String?) throws(Failure) -> DownloadTarget {
    var target = try place(output)
    target.suggestedName = name
    target.listings = (try? StateFolders.ofUser()).map { ListingCache($0.cache + "/listings") }
    return target
  }

  private func place(_ output: String?) throws(Failure) -> DownloadTarget {
    guard let output else { return DownloadTarget(folder: ".", replaces: force) }
    if output == "-" { return .standardOutput }
    // With several IDs, -o is the folder that receives them.
    if folder.update, !isSeveral || output != self.output { return try folder.outputFolder(output) }
    if Directory.exists(output) {
      var target = DownloadTarget(folder: output, replaces: force)
      target.tree = isSeveral && output == self.output ? nil : folder.tree(output)
      return target
    }
    let parts = PathParts(output)
    guard !parts.name.isEmpty, parts.name != ".", parts.name != "..", !output.hasSuffix("/") else {
      throw Failure(Exit.cannotCreate, "\(output): no such folder; make it first, or name a file")
    }
    return DownloadTarget(folder: parts.folder, name: parts.name, replaces: force)
  }
}
