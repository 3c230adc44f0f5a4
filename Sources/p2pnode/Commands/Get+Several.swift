// `p2pnode get` with several IDs: checks all IDs and places before anything is fetched.
import CommandSettings
import Content
import PeerNode
import Posix
import Storage
import Transfer
import Wire

extension Get {
  func getSeveral() throws(Failure) {
    let set = try settings()
    let items = try severalItems(isQuiet: quiet || set.logLevel < .info)
    let stop = try StopSignal(takesHangUp: true)  // before any thread starts
    OpenFileLimit.raise()
    let loaded = try loadIdentity(set)
    let node = try node(set, loaded.identity)
    let metrics = GetMetrics(items.map(\.fileID), isInZone: set.zone != nil)
    let pages = try pages(of: metrics, set) { node.figures }
    defer { pages?.stop() }
    let after = exec.map { AfterDownload($0) }
    let reload = makeReload(set)
    stop.whenItComes {
      reload { node.limit(uploads: $0, uploadsPerPeer: $1, downloads: $2) }
    } _: {
      node.cancelDownloads()
      after?.stop(stop.signal)
    }
    let start = Clock.monotonicNanoseconds
    let display = display(of: items, set)
    let downloads = SeveralDownloads(
      items, on: node, jobs: set.jobs, settings: downloadSettings(set), sharing: try sharing(set), stop: stop,
      looksForPeers: set.lan != .off
    ) { log(of: items[$0], set, display?.row($0), after, pages == nil ? nil : metrics.observer($0)) }
    let failures = downloads.run(placed: printPath)
    display?.end()
    node.leave()
    after?.finish()
    _ = consume loaded
    if !quiet && set.logLevel >= .info {
      let seconds = Double(Clock.monotonicNanoseconds - start) / 1e9
      Console.error(
        "[Downloader] Downloads complete: \(downloads.doneCount) of \(items.count) (\(downloads.bytes) bytes in "
          + "\(Format.fixed(seconds, 1))s)")
    }
    guard let first = failures.first(where: { stop.hasCome && $0.code == stop.exitCode }) ?? failures.first else {
      return
    }
    // Each failure was already reported.
    var end = Failure(first.code, "")
    end.isTold = true
    throw end
  }

  private func node(_ set: Settings, _ identity: StaticIdentity) throws(Failure) -> Node {
    let configuration = try configuration(set, identity)
    let listen = try sharing(set)?.listen
    do throws(ServerError) { return try Node(configuration, listen: listen) } catch {
      throw Failure(error, listen: listen ?? .any(port: 0))
    }
  }

  private func log(
    of item: SeveralItem, _ set: Settings, _ row: (any DownloadObserver)?, _ after: AfterDownload?,
    _ metrics: (any DownloadObserver)?
  ) -> GetLog {
    GetLog(
      oneOfSeveral: item.fileID,
      json: json
        ? GetJSON(explains: explain ? Explaining(set) : nil, fileID: item.fileID) : nil,
      explains: explain ? Explaining(set) : nil,
      after: after?.observer(of: item.fileID, isOneOfSeveral: true, json: json), stays: keepServing,
      quiet: quiet || set.logLevel < .info,
      verbose: verbose || set.logLevel == .debug, row: row, metrics: metrics)
  }

  /// Nil if no screen is shown.
  private func display(of items: [SeveralItem], _ set: Settings) -> SeveralDisplay? {
    guard Console.isTerminal, !quiet, !verbose, set.logLevel == .info else { return nil }
    return SeveralDisplay(
      items.map { item in
        DownloadRow(
          name: item.target.name ?? item.target.suggestedName ?? String(item.fileID.hex.prefix(16)), length: item.length
        )
      })
  }

  /// Prints the path of a finished output. It is escaped on a terminal only.
  private func printPath(_ result: DownloadResult) {
    guard !json, let path = result.path else { return }
    Console.output(Terminal.isTerminal(.standardOutput) ? Console.escaped(path) : path)
  }

  // MARK: The list

  /// Returns all items to fetch. An ID that is named twice is fetched once. Throws if it has two places.
  private func severalItems(isQuiet: Bool) throws(Failure) -> [SeveralItem] {
    if let output, !Directory.exists(output) {
      throw Failure(
        Exit.cannotCreate, "\(output): is not a folder, and several IDs need one: create it first, or leave -o out")
    }
    let wanted = try WantedList.ofCommandLine(ids) + (inputFile.map(WantedList.ofFile) ?? [])
    var items: [SeveralItem] = []
    var places: [FileID: Int] = [:]
    var outputs: [DownloadTarget: FileID] = [:]
    for one in wanted {
      let item = try item(one)
      let id = item.fileID
      if let place = places[id] {
        guard items[place].target.isSamePlace(as: item.target) else {
          throw Failure(
            Exit.usage, "\(one.prefix)\(id.hex) has two output paths; name it once, and copy the file afterwards")
        }
        if !isQuiet { Console.error("[Downloader] \(one.prefix)\(id.hex) is named twice, and fetched once") }
        continue
      }
      if item.target.name != nil, let other = outputs.updateValue(id, forKey: item.target.place) {
        throw Failure(
          Exit.usage, "\(one.prefix)\(id.hex) has the same path as \(other.hex); give each a path of its own")
      }
      places[id] = items.count
      items.append(item)
    }
    return items
  }

  private func item(_ one: WantedItem) throws(Failure) -> SeveralItem {
    let link = one.wanted.link
    let target: DownloadTarget
    do throws(Failure) { target = try downloadTarget(one.path ?? output, suggested: link?.name) } catch {
      throw Failure(error.code, one.prefix + error.message)
    }
    return SeveralItem(
      fileID: one.wanted.fileID, length: link?.length, peers: try KnownPeers.all(options: peer, link: link),
      target: target, folder: try folder.options(force: force))
  }
}

extension WantedItem {
  /// The start of a message about this item.
  fileprivate var prefix: String { place.map { "\($0): " } ?? "" }
}

extension DownloadTarget {
  /// The place without the suggested name.
  fileprivate var place: DownloadTarget { DownloadTarget(folder: folder, name: name) }

  fileprivate func isSamePlace(as other: DownloadTarget) -> Bool { place == other.place }
}
