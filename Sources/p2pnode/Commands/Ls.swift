// `p2pnode ls`: prints what a folder's ID names, without fetching the files.
import ArgumentParser
import Configuration
import Content
import PeerNode
import Posix
import Sodium
import Storage
import Transfer
import Wire

struct Ls: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "Lists the files of a folder's ID, without fetching them.",
    discussion: """
      Fetches only the listing, which is verified as all data is. Prints an entry a line: the bytes of the file, a * if it \
      can be executed, its path; of a link '->' and its target; of an empty folder its path and a /. What moves a cursor is \
      escaped. If the ID is a file's, its bytes and its name are printed.

        p2pnode ls "$(p2pnode id images/disk.img | cut -c 1-64)"
      """)

  @Argument(help: ArgumentHelp("The ID of a folder, or a link.", valueName: "ID"))
  var id: String

  @Flag(name: .shortAndLong, help: "The ID of each file as well, so that one file can be fetched by its own.")
  var long = false

  @Flag(
    name: [.customShort("0"), .long],
    help: "For programs: a NUL ends each entry in place of a line's end, and nothing is escaped.")
  var null = false

  @Flag(help: "One JSON object an entry on stdout.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "A peer to ask. With PEERID, nobody else may answer. May be repeated.", valueName: "[PEERID@]HOST:PORT"))
  var peer: [String] = []

  @Option(help: ArgumentHelp("Seconds that a chunk may take: 30.", valueName: "SECONDS"))
  var chunkTimeout: String?

  @OptionGroup var swarm: SwarmOptions

  func validate() throws {
    guard !(json && (long || null)) else {
      throw ValidationError("--json says all that --long and --null say: leave those out.")
    }
  }

  func run() throws {
    try reporting(json: json) { () throws(Failure) in
      let wanted = try Wanted(typed: id)
      switch try fetch(wanted) {
      case .folder(let listing): print(listing, wanted.fileID)
      case .file(let name, let length): ListingLines.printFile(name, length, wanted.fileID, self)
      }
    }
  }

  private func print(_ listing: FolderListing, _ id: FileID) {
    if json { return ListingJSON.print(listing, id) }
    ListingLines(listing, isLong: long, isNull: null).print()
  }

  // MARK: Fetching

  private enum Found {
    case folder(FolderListing)
    case file(name: String, length: UInt64)
  }

  private func fetch(_ wanted: Wanted) throws(Failure) -> Found {
    var others: [SettingKey: [String]] = [:]
    others[.chunkTimeout] = chunkTimeout.map { [$0] }
    let set = try swarm.settings(others)
    let peers = try KnownPeers.all(options: peer, link: wanted.link)
    guard !peers.isEmpty || set.lan != .off else { throw Failure.noPeerIsKnown }
    let stop = try StopSignal()  // before any thread starts
    let loaded = try LoadedIdentity.ofGetter(set, isNamed: swarm.identity != nil, isQuiet: false)
    let scratch = try makeScratch()
    var target = DownloadTarget(folder: scratch.path)
    target.suggestedName = wanted.link?.name
    target.listings = (try? StateFolders.ofUser()).map { ListingCache($0.cache + "/listings") }
    let node = try node(set, loaded.identity)
    stop.whenItComes { node.cancelDownloads() }
    let log = ListingLog(isShown: set.logLevel >= .info)
    let result = download(wanted, peers, target, set, on: node, log)
    node.leave()
    _ = consume loaded
    return try found(result, wanted.fileID, keepingIn: target.listings) { error throws(Failure) in
      throw log.failure(error, stop: stop, fileID: wanted.fileID, target: target)
    }
  }

  private func makeScratch() throws(Failure) -> ScratchFolder {
    do throws(StateFoldersError) {
      let name = "ls-" + String(Random.uint64(), radix: 16)
      return try ScratchFolder(in: try StateFolders.ofUser().cache, name: name)
    } catch {
      throw Failure(error)
    }
  }

  /// It gives nothing to others, so it does not listen.
  private func node(_ set: Settings, _ identity: StaticIdentity) throws(Failure) -> Node {
    var configuration = NodeConfiguration(
      identity: identity, swarmKey: try set.loadSwarmKey(), suites: try set.suites())
    configuration.discovery = set.discovery
    do throws(ServerError) { return try Node(configuration) } catch { throw Failure(error, listen: .any(port: 0)) }
  }

  private func download(
    _ wanted: Wanted, _ peers: [PeerSource], _ target: DownloadTarget, _ set: Settings, on node: Node, _ log: ListingLog
  ) -> Result<DownloadResult, DownloadError> {
    var settings = DownloadSettings()
    settings.chunkTimeout = set.chunkTimeout
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
    // Nothing of it stays.
    case .failure(.failed(let failure, let stats, _)): try failed(.failed(failure, stats, part: nil))
    case .failure(let error): try failed(error)
    }
  }
}

/// The bytes of a verified listing.
private func bytes(at path: String) throws(Failure) -> [UInt8] {
  do throws(Errno) { return try File(path, .read).readToEnd(bytesMax: FolderListing.byteCountMax) ?? [] } catch {
    throw Failure(Exit.ioError, "cannot read \(error); run the same command again")
  }
}

/// What `ls` says while it fetches: a line on a terminal, and at the end why it failed.
private final class ListingLog {
  private let failures = GetFailures()
  private let isShown: Bool

  init(isShown: Bool) {
    self.isShown = isShown
    show("looking for peers that have the listing")
  }

  func see(_ update: DownloadUpdate) {
    failures.see(update)
    if case .listing(let length) = update { show("fetching the listing (\(Format.size(length)))") }
  }

  func end() { Console.endShow() }

  func failure(_ error: DownloadError, stop: StopSignal, fileID: FileID, target: DownloadTarget) -> Failure {
    failures.failure(error, stop: stop, fileID: fileID, target: target)
  }

  private func show(_ text: String) {
    if isShown { Console.show { _, _ in [ScreenLine(text, .dim)] } }
  }
}
