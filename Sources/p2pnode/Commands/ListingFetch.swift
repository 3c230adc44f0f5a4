// Fetches only the listing of a folder, for verbs that need to know what a folder's ID names.
import ArgumentParser
import CommandSettings
import Content
import PeerNode
import Posix
import Screen
import Sodium
import Storage
import Transfer
import Wire

/// The options that say which peers to ask for a listing, and how.
struct ListingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A peer to ask (default port \(ProtocolDefaults.port)). With PEERID, only that peer is accepted. May be repeated.",
      valueName: "[PEERID@]HOST[:PORT]"))
  var peer: [String] = []

  @Option(help: ArgumentHelp("Time limit for one chunk, in seconds (default 30).", valueName: "SECONDS"))
  var chunkTimeout: String?

  @Option(
    help: ArgumentHelp(
      "How long to wait for peers while there is no progress: 30s, 10m, 2h, forever, or none (default).",
      valueName: "TIME"))
  var wait: String?

  @OptionGroup var swarm: SwarmOptions

  /// Returns the settings in force. `others` holds the options of one verb.
  func settings(_ others: [SettingKey: [String]] = [:]) throws(Failure) -> Settings {
    var others = others
    others[.chunkTimeout] = chunkTimeout.map { [$0] }
    others[.wait] = wait.map { [$0] }
    return try swarm.settings(others)
  }
}

/// Fetches a listing from the user's cache or from peers. Serves nothing to others.
struct ListingFetch {
  enum Found {
    case folder(FolderListing)
    /// The ID is that of a file.
    case file(name: String, length: UInt64)
  }

  private let wanted: Wanted
  private let options: ListingOptions
  private let set: Settings

  /// - `set`: the settings in force.
  init(_ wanted: Wanted, _ options: ListingOptions, _ set: Settings) {
    (self.wanted, self.options, self.set) = (wanted, options, set)
  }

  /// The cache of listings that were fetched before.
  static var cache: ListingCache? { (try? StateFolders.ofUser()).map { ListingCache($0.cache + "/listings") } }

  /// Fetches the listing. Call it before other threads start, because they must block the signals that it handles.
  func run() throws(Failure) -> Found {
    let peers = try KnownPeers.all(options: options.peer, link: wanted.link)
    guard !peers.isEmpty || set.lan != .off else { throw Failure.noPeerIsKnown }
    let stop = try StopSignal()  // before any thread starts
    let loaded = try LoadedIdentity.ofGetter(set, isNamed: options.swarm.identity != nil, isQuiet: false)
    let scratch = try makeScratch()
    var target = DownloadTarget(folder: scratch.path)
    target.suggestedName = wanted.link?.name
    target.listings = ListingFetch.cache
    let node = try node(set, loaded.identity)
    stop.whenItComes { node.cancelDownloads() }
    let log = ListingLog(isShown: set.logLevel >= .info)
    let result = download(peers, target, on: node, log)
    node.leave()
    _ = consume loaded
    return try found(result, wanted.fileID, keepingIn: target.listings) { error throws(Failure) in
      throw log.failure(error, stop: stop, fileID: wanted.fileID, target: target)
    }
  }

  /// Makes a folder in the user's cache, or in the folder for temporary files if that fails.
  private func makeScratch() throws(Failure) -> ScratchFolder {
    let name = "listing-" + String(Random.uint64(), radix: 16)
    if let folders = try? StateFolders.ofUser(), let folder = try? ScratchFolder(in: folders.cache, name: name) {
      return folder
    }
    do throws(StateFoldersError) {
      return try ScratchFolder(in: Environment.variable("TMPDIR") ?? "/tmp", name: "p2pnode-" + name)
    } catch {
      throw Failure(error)
    }
  }

  /// Makes a node that does not listen.
  private func node(_ set: Settings, _ identity: StaticIdentity) throws(Failure) -> Node {
    var configuration = NodeConfiguration(
      identity: identity, swarmKey: try set.loadSwarmKey(), suites: try set.suites())
    configuration.discovery = set.discovery
    do throws(ServerError) { return try Node(configuration) } catch { throw Failure(error, listen: .any(port: 0)) }
  }

  private func download(
    _ peers: [PeerSource], _ target: DownloadTarget, on node: Node, _ log: ListingLog
  ) -> Result<DownloadResult, DownloadError> {
    var settings = DownloadSettings()
    settings.chunkTimeout = set.chunkTimeout
    settings.patience = PeerPatience(set.wait)
    var folder = PeerNode.FolderOptions()
    folder.isListingOnly = true
    let download = node.download(
      wanted.fileID, length: wanted.link?.length, from: peers, to: target, settings: settings, shares: false,
      folder: folder)
    let group = DownloadGroup()
    group.add(download)
    while let (_, news) = group.next() {
      switch news {
      case .update(let update): log.see(update)
      case .ended(let result):
        log.end()
        return result
      }
    }
    preconditionFailure("a download has an end")
  }

  private func found(
    _ result: Result<DownloadResult, DownloadError>, _ id: FileID, keepingIn listings: ListingCache?,
    failed: (DownloadError) throws(Failure) -> Never
  ) throws(Failure) -> Found {
    switch result {
    case .success(let result):
      let path = result.path ?? ""
      let bytes = try bytes(at: path)
      let listing: FolderListing
      do throws(FolderListingFault) { listing = try FolderListing(decoding: bytes) } catch {
        throw Failure(error, listingOf: id)
      }
      listings?.keep(listing, suggestedName: ListingCache.suggestedName(besideListing: path) ?? "", of: id)
      return .folder(listing)
    case .failure(.notAFolder(let name, let length)): return .file(name: name, length: length)
    // Nothing of the download stays on the disk.
    case .failure(.failed(let failure, let stats, _)): try failed(.failed(failure, stats, part: nil))
    case .failure(let error): try failed(error)
    }
  }
}

/// Reads the bytes of a verified listing.
private func bytes(at path: String) throws(Failure) -> [UInt8] {
  do throws(Errno) { return try File(path, .read).readToEnd(bytesMax: FolderListing.byteCountMax) ?? [] } catch {
    throw Failure(Exit.ioError, "cannot read \(error); run the same command again")
  }
}

/// Reports the fetch of a listing: a line on a terminal, and a failure at the end.
private final class ListingLog {
  private let failures = GetFailures()
  private var pace = WaitPace()
  private let isShown: Bool

  init(isShown: Bool) {
    self.isShown = isShown
    show("looking for peers that have the listing")
  }

  func see(_ update: DownloadUpdate) {
    failures.see(update)
    switch update {
    case .listing(let length): show("fetching the listing (\(Format.size(length)))")
    case .waiting(let wait?) where Console.isTerminal: show(wait.words)
    case .waiting(let wait?): if isShown, pace.isDue(wait) { Console.error("[Downloader] \(wait.sentence)") }
    default: break
    }
  }

  func end() { Console.endShow() }

  func failure(_ error: DownloadError, stop: StopSignal, fileID: FileID, target: DownloadTarget) -> Failure {
    failures.failure(error, stop: stop, fileID: fileID, target: target)
  }

  private func show(_ text: String) {
    if isShown { Console.show { [ScreenLine(DisplayWidth.cut(text, to: $0.columns - 1, mark: $1.mark), .dim)] } }
  }
}
