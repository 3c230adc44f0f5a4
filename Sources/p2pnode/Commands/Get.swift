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
    commandName: "get", abstract: "Fetches files and folders from peers, many at once.",
    discussion: """
      Nothing that a peer sends is trusted: a file that is finished is the right one. What was interrupted is continued by \
      the same command. Besides the peers that --peer names, those on this machine and its local networks are found. Also \
      asked are the peers in P2PNODE_PEERS (separated by commas or white space) and in the file ~/.config/p2pnode/peers \
      (one a line, # begins a comment; below $P2PNODE_HOME/config where that is set). 'p2pnode config' says where options \
      can be kept.

      ID may be a link, which names peers as well: p2pnode:ID/name=disk.img/peer=192.0.2.1:9800. A shell leaves it as it is.

      Several IDs are fetched side by side, --jobs of them at a time. If one fails, the others go on. The path of each \
      finished one is a line on stdout. Lines on stderr begin with the first digits of the ID in brackets, JSON events have \
      the member 'id'. The exit code is that of the first ID that failed. --input-file has one ID or link a line, and after \
      a tab the path of its output if that is not the place of -o; lines that begin with # are comments.

      Of a file that another 'p2pnode serve' of yours offers on this machine, or on the local network:

        ID=\(ExampleID.file)
        p2pnode get $ID -o copy.img

      From peers that are named, into the folder for downloads, and then offered to others for ten minutes:

        p2pnode get $ID \\
            --peer 127.0.0.1:9800 -o ./ --keep-serving=10m

      Straight into another program:

        p2pnode get $ID -o - | sha256sum

      All that a list names, two at a time:

        p2pnode id images/disk.img | cut -c 1-64 | p2pnode get --input-file - --jobs 2
      """)

  @Argument(
    help: ArgumentHelp(
      "64 hexadecimal digits, as printed by 'p2pnode serve', or a link, as printed by 'p2pnode link'. May be repeated.",
      valueName: "ID"))
  var ids: [String] = []

  @Option(
    help: ArgumentHelp("Fetch what a file names, one ID or link a line; - is standard input.", valueName: "FILE"),
    completion: .file())
  var inputFile: String?

  @Option(help: ArgumentHelp("Of several IDs, fetch so many at a time: 4.", valueName: "N"))
  var jobs: String?

  @Option(
    help: ArgumentHelp(
      "A peer to ask, by default at port \(ProtocolDefaults.port); all addresses of a host are, and it is looked up "
        + "again while the download runs. With PEERID, 'get' talks there only to that peer, or to one that it found there by itself. May be repeated.",
      valueName: "[PEERID@]HOST[:PORT]"))
  var peer: [String] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where to put it, or - for stdout, to which a folder goes as a tar archive. A file goes into a folder that exists, "
        + "under the name that the peers suggest. For a folder, PATH is its new name, and PATH/ a folder that it goes into. Of several IDs: a folder for all.",
      valueName: "PATH"),
    completion: .file())
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Parallel workers, each with chunks of one peer in flight: 8; fewer if there are fewer peers.", valueName: "N"))
  var workers: String?

  @Option(
    help: ArgumentHelp("Times that a chunk is tried again after each peer that has it failed: 3.", valueName: "N"))
  var retries: String?

  @Option(help: ArgumentHelp("Seconds that a chunk may take: 30.", valueName: "SECONDS"))
  var chunkTimeout: String?

  @Option(
    help: ArgumentHelp(
      "Answer GET /metrics (for Prometheus), /ready (whether all is there) and /live here, such as 127.0.0.1:9464.",
      valueName: "HOST:PORT"))
  var metrics: String?

  @Option(
    help: ArgumentHelp(
      "How long to wait without progress for peers that have it: 30s, 10m, 2h, forever, or none. So 'get' may start before "
        + "'serve', and a lost link may come back. Without it, 'get' ends when its peers and retries are used up.",
      valueName: "TIME"))
  var wait: String?

  @Option(
    help: ArgumentHelp("Bytes a second that are fetched, in all: 10M, 1Gi …, or none.", valueName: "RATE"))
  var downloadLimit: String?

  @Flag(help: "Give nothing to others.")
  var noUpload = false

  @Option(
    help: ArgumentHelp(
      "Go on offering the finished file: --keep-serving until it is stopped, --keep-serving=10m for a time (30s, 2h).",
      valueName: "TIME"))
  var keepServing: Stay?

  @Option(
    help: ArgumentHelp(
      "A program to run after each completed download, with the absolute path of the output as its only argument, and the "
        + "ID in P2PNODE_ID. No shell reads it. Its output goes to stderr; if it fails, that is said, and the exit code stays.",
      valueName: "PROGRAM"),
    completion: .file())
  var exec: String?

  @Flag(help: "One JSON object an event on stdout.")
  var json = false

  @Flag(help: "At the end, say what took the time, and what would have made it faster.")
  var explain = false

  @Flag(help: "Nothing on stderr but errors.")
  var quiet = false

  @Flag(help: "A line for every chunk, also on a terminal.")
  var verbose = false

  @Flag(
    help: ArgumentHelp(
      "Replace the file that -o names, if it exists. A suggested name never replaces a file. With --update: update the "
        + "folder, even if it seems to be another one."))
  var force = false

  @OptionGroup var folder: FolderArguments

  @OptionGroup var node: NodeOptions

  /// Whether to print in the form for several downloads. It does not depend on how many IDs the input file has.
  private var isSeveral: Bool { ids.count > 1 || inputFile != nil }

  func validate() throws {
    guard !ids.isEmpty || inputFile != nil else { throw ValidationError("Name an ID, or a file of IDs.") }
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
        "-o - keeps nothing that --keep-serving could offer: name a file, or leave --keep-serving out.")
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
