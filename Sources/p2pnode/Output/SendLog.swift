// Prints for `send`: the command to paste on stdout and everything else on stderr, or everything as JSON lines on
// stdout.
import Content
import PeerNode
import Posix
import Storage
import Synchronization
import Wire

/// Prints the events of what is sent. Events come on any thread.
final class SendLog: Sendable {
  private struct State {
    var offers: [FileID: SentOffer] = [:]
    var fetched = SentCount([])
    var hashing: HashClock?
    var fetchLines = LineRate.ofConnectionEnds
    /// What is left out of each folder that is sent.
    var leftOut: [String: LeftOutCounts] = [:]
  }

  private let lines: ServingLines
  private var json: Bool { lines.json }
  private let count: Int?
  private let onEnough: @Sendable () -> Void
  private let state = Mutex(State())
  private let ticker: SendTicker?

  /// - `quiet`: whether only errors go to stderr.
  /// - `count`: the number of fetches after which `onEnough` is called. Nil: never.
  init(json: Bool, quiet: Bool, count: Int?, onEnough: @escaping @Sendable () -> Void) {
    (lines, self.count, self.onEnough) = (ServingLines(json: json), count, onEnough)
    ticker = SendTicker(json: json, hasScreen: !quiet && Console.isTerminal)
    lines.writeApart()
  }

  func listening(_ address: Endpoint, _ peerID: PeerID) { lines.listening(address, peerID) }

  /// Shows what the node does, until `stopped`.
  func show(_ node: Node, _ watch: FetchWatch, paths: [String]) {
    ticker?.start(node, watch, name: paths.count == 1 ? paths[0] : "\(paths.count) files and folders") { content in
      self.state.withLock { $0.offers[content] }
    }
  }

  /// Prints the command: everything is hashed and offered. `watch` begins to report fetches.
  /// - `isPrivate`: whether only nodes with the same swarm key can fetch.
  func ready(
    _ offers: [SentOffer], _ watch: FetchWatch, at address: Endpoint, of peerID: PeerID, isPrivate: Bool
  ) {
    let interfaces = (try? NetworkInterfaces.addresses()) ?? []
    let addresses = address.dialable(interfaces: interfaces)
    let peers = addresses.compactMap { FileLink.Peer(host: $0.host, port: $0.port, pinned: peerID) }
    let contents = Set(offers.map(\.content))
    let leftOut = state.withLock { state in
      for offer in offers { state.offers[offer.content] = offer }
      state.fetched = SentCount(contents)
      return state.leftOut
    }
    watch.watch(contents)
    let command = (["p2pnode get"] + offers.map { $0.link(peers).text }).joined(separator: " ")
    let byteCount = offers.reduce(0) { $0 + $1.byteCount }
    if json {
      for offer in offers { Console.output(line(of: offer, peers)) }
      var line = JSONLine(event: "ready")
      line.set("files", offers.count)
      line.set("bytes", byteCount)
      line.set("leftOut", leftOut.values.reduce(0) { $0 + $1.total })
      line.set("command", command)
      Console.output(line.finished)
    }
    for (folder, counts) in leftOut.sorted(by: { $0.key < $1.key }) where !counts.isEmpty {
      Console.log(
        .info, "left out of \(Console.escaped(folder)): \(counts)\(SendLog.hidden(counts))\(SendLog.links(counts))")
    }
    let what = offers.count == 1 ? Console.escaped(offers[0].path) : "\(offers.count) files and folders"
    Console.log(.info, "ready: \(what), \(Format.size(byteCount)). Run this on the other machine:")
    if !json { Console.output(command) }
    if isPrivate { Console.log(.info, "there, add --swarm-key FILE with the same key") }
    if addresses.allSatisfy(\.isLoopback) {
      Console.log(
        .warning, "warning: it works only on this machine, because no other machine can reach \(address.host)")
    }
  }

  /// Which names are hidden, and what to do if they belong to what is sent.
  private static func hidden(_ counts: LeftOutCounts) -> String {
    guard let count = counts.counts[.hidden] else { return "" }
    let names = counts.firstHidden.map(Console.escaped)
    let others = count > names.count ? ["\(count - names.count) more"] : []
    return "; hidden: \((names + others).joined(separator: ", ")); --hidden sends them too"
  }

  /// What to do if the links belong to what is sent, as in a model cache, whose files are links.
  private static func links(_ counts: LeftOutCounts) -> String {
    counts.counts[.link] == nil ? "" : "; --follow-links sends the files that the links name"
  }

  private func line(of offer: SentOffer, _ peers: [FileLink.Peer]) -> String {
    var line = JSONLine(event: offer.isFolder ? "folder" : "file")
    line.set(offer.isFolder ? "folderID" : "fileID", offer.id.hex)
    line.set("link", offer.link(peers).text)
    line.set("bytes", offer.byteCount)
    line.set("path", offer.path)
    if offer.isFolder { line.set("leftOut", state.withLock { $0.leftOut[offer.path]?.total ?? 0 }) }
    return line.finished
  }

  /// Shows that the node stops. It still sends what peers have requested.
  func stopping() {
    Console.stopWaiting()
    ticker?.stopping()
  }

  func stopped(uploadedBytes: UInt64) {
    ticker?.end()
    tellLeftOut(state.withLock { $0.fetchLines.takeLeftOut() })
    lines.stopped(uploadedBytes: uploadedBytes)
  }

  // MARK: Fetches

  /// Prints a fetch. Called on threads that serve peers, which must not wait for the reader.
  func print(_ event: FetchWatch.Event) {
    switch event {
    case .began(let fetch): tell(fetch, "fetching") { "[\(fetch.peer.short)] \(fetch.address) fetches \($0)" }
    case .left(let fetch):
      tell(fetch, "fetchEnded") { path in
        "[\(fetch.peer.short)] left after \(Format.share(fetch.share)) of \(path): it got the rest from other peers, or "
          + "was interrupted" + (self.count == nil ? "" : ", so it does not count")
      }
    case .complete(let fetch):
      let total = state.withLock { state in
        state.fetched.complete(fetch.content, by: fetch.peer)
        return state.fetched.count
      }
      let seconds = Format.seconds(fetch.duration)
      tell(fetch, "fetched", total: total) { path in
        "[\(fetch.peer.short)] has \(path) (\(Format.size(fetch.byteCount)) in \(Format.time(seconds: seconds)))"
      }
      if let count, total >= count { onEnough() }
    }
  }

  private func tell(_ fetch: FetchWatch.Fetch, _ event: String, total: Int? = nil, _ words: (String) -> String) {
    guard let offer = state.withLock({ $0.offers[fetch.content] }) else { return }
    if json {
      var line = JSONLine(event: event, fetch, offer)
      line.set("seconds", Format.seconds(fetch.duration))
      if let total { line.set("fetches", total) }
      Console.output(line.finished, .stranger)
    }
    // A peer that has the link can cause any number of these lines.
    let (isTold, leftOut) = state.withLock { $0.fetchLines.next(at: Clock.monotonicNanoseconds) }
    tellLeftOut(leftOut)
    if isTold { Console.log(.info, words(Console.escaped(offer.path)), .stranger) }
  }

  private func tellLeftOut(_ count: Int) {
    if count > 0 {
      Console.log(
        .info, "\(Format.count(count, "more line about fetches was", "more lines about fetches were")) left out",
        .stranger)
    }
  }

  // MARK: Other events

  func print(_ event: CatalogueEvent, of paths: SentPaths.Share) {
    switch event {
    case .warning(let text): lines.warn(text)
    case .leftOut(let counts) where paths.names.isEmpty: state.withLock { $0.leftOut[paths.folderPath] = counts }
    case .skipped(let skipped) where paths.names.isEmpty: lines.skipped(skipped)
    case .progress(let progress): print(progress)
    case .hashingEnded:
      state.withLock { $0.hashing = nil }
      ticker?.hashing(nil)
    case .listed(let folder) where folder.listing.folder.isEmpty && paths.names.isEmpty: changed(paths, to: folder)
    case .added, .renamed, .listed, .unlisted, .skipped, .leftOut: break
    }
  }

  /// Warns if an offered folder now has other files.
  private func changed(_ paths: SentPaths.Share, to folder: ListedFolder) {
    let isNews = state.withLock { state in
      state.offers.values.contains { $0.isFolder && $0.path == paths.folderPath && $0.id != folder.listing.folderID }
    }
    if isNews {
      lines.warn(
        "\(paths.folderPath) has changed: the command above fetches the old version, while its files are unchanged")
    }
  }

  private func print(_ progress: HashProgress) {
    let report = state.withLock { state in
      var clock = state.hashing ?? .ofLog
      defer { state.hashing = clock }
      return clock.report(progress, at: Clock.monotonicNanoseconds)
    }
    ticker?.hashing(report)
    guard report.isDue else { return }
    if json {
      Console.output(JSONLine(report).finished)
    } else if ticker?.hasScreen != true {
      Console.log(.info, "hashing: \(report.words)")
    }
  }

  /// Prints an event of the node. Called on threads that serve peers, which must not wait for the reader. `FetchWatch`
  /// reports how much each peer has.
  func print(_ event: NodeEvent) {
    lines.print(event, withdrawalAdvice: ": its link no longer works; end this command and send it again")
  }
}

extension FetchWatch.Fetch {
  /// The part that was sent, from 0 to 1.
  var share: Double { byteCount == 0 ? 1 : Double(sentByteCount) / Double(byteCount) }
}

extension JSONLine {
  /// Makes the event of a fetch of an offer.
  init(event: String, _ fetch: FetchWatch.Fetch, _ offer: SentOffer) {
    self.init(event: event)
    set("peer", fetch.peer.hex)
    set("address", fetch.address.description)
    set("id", offer.id.hex)
    set("path", offer.path)
    set("bytes", fetch.sentByteCount)
    set("totalBytes", fetch.byteCount)
  }
}
