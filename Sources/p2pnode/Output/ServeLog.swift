// Prints for `serve`: files on stdout and everything else on stderr, or everything as JSON lines on stdout.
import Content
import PeerNode
import Posix
import Storage
import Synchronization
import Wire

/// Prints the events of a server, which come on any thread.
final class ServeLog: Sendable {
  private let lines: ServingLines
  private var json: Bool { lines.json }
  /// The peers in the printed links. Nil: no links.
  private let peers = Mutex<[FileLink.Peer]?>(nil)
  /// Nil if stderr is not a terminal or must stay quiet.
  private let display: ServeDisplay?
  /// Whether only a few files get lines, because stdout is a terminal with a screen.
  private let areFilesLimited: Bool
  private let fileLines = Mutex(LineRate.ofFiles)
  private let uploadLines = Mutex(LineRate.ofConnectionEnds)
  private let hashing = Mutex<HashClock?>(nil)
  private let served = Mutex<(files: Int, bytes: UInt64, leftOut: LeftOutCounts)>((0, 0, LeftOutCounts()))

  /// Makes the log. From now on a separate thread writes the lines.
  /// - `quiet`: whether only errors go to stderr.
  init(json: Bool, quiet: Bool) {
    lines = ServingLines(json: json)
    display = quiet ? nil : ServeDisplay()
    areFilesLimited = display != nil && !json && Terminal.isTerminal(.standardOutput)
    lines.writeApart()
  }

  /// Prints links from now on. They name this node at the addresses that others can dial.
  func links(at address: Endpoint, of peerID: PeerID) {
    let interfaces = (try? NetworkInterfaces.addresses()) ?? []
    let peers = address.dialable(interfaces: interfaces).compactMap {
      FileLink.Peer(host: $0.host, port: $0.port, pinned: peerID)
    }
    self.peers.withLock { $0 = peers }
  }

  /// - `length`: the length of the file or the listing, to which the ID commits.
  private func link(to fileID: FileID, name: String, length: UInt64) -> String? {
    peers.withLock { $0 }.map { FileLink(fileID: fileID, name: name, length: length, peers: $0).text }
  }

  func listening(_ address: Endpoint, _ peerID: PeerID) { lines.listening(address, peerID) }

  /// Reports the end of the first scan.
  func ready(_ folder: String) {
    let (files, bytes, leftOut) = served.withLock { $0 }
    if json {
      var line = JSONLine(event: "ready")
      line.set("files", files)
      line.set("bytes", bytes)
      line.set("leftOut", leftOut.total)
      Console.output(line.finished)
    }
    tellLeftOutFiles(fileLines.withLock { $0.takeLeftOut() })
    if files == 0 { lines.warn("no file of \(folder) is served: \(ServeLog.why(leftOut))") }
    let rest = leftOut.isEmpty ? "" : "; left out: \(leftOut)"
    Console.log(.info, "ready: \(Format.count(files, "file")), \(Format.count(bytes, "byte"))\(rest)")
  }

  /// Returns why a folder has no file to serve.
  private static func why(_ leftOut: LeftOutCounts) -> String {
    if leftOut.isEmpty { return "it has none" }
    var advice: [String] = []
    if leftOut.counts[.link] != nil { advice.append("--follow-links serves the targets of links as files") }
    if leftOut.counts[.hidden] != nil { advice.append("--hidden serves hidden files") }
    return (["\(leftOut) \(leftOut.total == 1 ? "is" : "are") left out"] + advice).joined(separator: "; ")
  }

  /// Shows what the server does until it stops.
  func show(_ server: Server, folder: String) { display?.start(server, folder: folder) }

  /// Shows that the server stops. It still sends what peers have requested.
  func stopping() {
    Console.stopWaiting()
    display?.stopping()
  }

  func stopped(uploadedBytes: UInt64) {
    display?.end()
    lines.stopped(uploadedBytes: uploadedBytes)
  }

  /// Prints a change of the catalogue. Called on threads that find and hash files, which may wait for the reader.
  func print(_ event: CatalogueEvent) {
    switch event {
    case .added(let entry):
      served.withLock { served in
        served.files += 1
        served.bytes += entry.length
      }
      offer(entry, event: "file")
    case .renamed(let entry, let old):
      offer(entry, event: "renamed", from: old)
      Console.log(.info, "\(Console.escaped(old)): is now \(Console.escaped(entry.path))", .file)
    case .warning(let text): lines.warn(text)
    case .leftOut(let counts): served.withLock { $0.leftOut = counts }
    case .listed(let folder): offer(folder)
    case .unlisted(let folder):
      if json {
        var line = JSONLine(event: "folderGone")
        line.set("path", folder + "/")
        Console.output(line.finished, .file)
      }
      Console.log(.info, "\(Console.escaped(folder))/: is gone, and its ID is no longer served", .file)
    case .skipped(let skipped): lines.skipped(skipped)
    case .progress(let progress): print(progress)
    case .hashingEnded:
      hashing.withLock { $0 = nil }
      display?.hashing(nil)
    }
  }

  private func print(_ progress: HashProgress) {
    let report = hashing.withLock { clock in
      var now = clock ?? .ofLog
      defer { clock = now }
      return now.report(progress, at: Clock.monotonicNanoseconds)
    }
    display?.hashing(report)
    guard report.isDue else { return }
    if json {
      Console.output(JSONLine(report).finished)
    } else if display == nil {
      let files = "\(report.progress.filesDone) of \(Format.count(report.progress.filesTotal, "file"))"
      Console.log(.info, "hashing: \(files), \(report.words)")
    }
  }

  /// Returns whether a file gets a line.
  private func isTold() -> Bool {
    guard areFilesLimited else { return true }
    let (isTold, leftOut) = fileLines.withLock { $0.next(at: Clock.monotonicNanoseconds) }
    tellLeftOutFiles(leftOut)
    return isTold
  }

  private func tellLeftOutFiles(_ count: Int) {
    if count > 0 { Console.log(.info, "\(count) more files are served; 'p2pnode id PATH' prints the ID of one") }
  }

  private func offer(_ entry: CatalogueEntry, event: String, from old: String? = nil) {
    let link = link(to: entry.fileID, name: entry.name, length: entry.length)
    guard json else {
      guard isTold() else { return }
      return Console.output("\(link ?? entry.fileID.hex)  \(entry.length)  \(Console.escaped(entry.path))", .file)
    }
    var line = JSONLine(event: event)
    line.set("fileID", entry.fileID.hex)
    if let link { line.set("link", link) }
    line.set("bytes", entry.length)
    line.set("path", entry.path)
    if let old { line.set("from", old) }
    Console.output(line.finished, .file)
  }

  private func offer(_ folder: ListedFolder) {
    let listing = folder.listing
    let link = link(to: listing.folderID, name: folder.name, length: listing.length)
    guard json else {
      return Console.output(
        "\(link ?? listing.folderID.hex)  \(listing.contentsLength)  \(Console.escaped(listing.path))", .file)
    }
    var line = JSONLine(event: "folder")
    line.set("folderID", listing.folderID.hex)
    if let link { line.set("link", link) }
    line.set("bytes", listing.contentsLength)
    line.set("path", listing.path)
    line.set("leftOut", folder.leftOut.total)
    Console.output(line.finished, .file)
  }

  /// Prints an event of the node. Called on threads that serve peers, which must not wait for the reader.
  func print(_ event: NodeEvent) {
    if case .uploaded(let peer, let address, let path, let bytes, let duration) = event {
      return uploaded(to: peer, address, path, bytes, seconds: Format.seconds(duration))
    }
    lines.print(event)
  }

  /// Prints a line of the access log. A peer that knows an ID can cause any number of them.
  private func uploaded(to peer: PeerID, _ address: Endpoint, _ path: String, _ bytes: UInt64, seconds: Double) {
    lines.tell("uploaded", .stranger) { line in
      line.set("peer", peer.hex)
      line.set("address", address.description)
      line.set("path", path)
      line.set("bytes", bytes)
      line.set("seconds", seconds)
    }
    let (isTold, leftOut) = uploadLines.withLock { $0.next(at: Clock.monotonicNanoseconds) }
    if leftOut > 0 {
      Console.log(.info, "\(Format.count(leftOut, "more upload has", "more uploads have")) ended", .stranger)
    }
    guard isTold else { return }
    let took = seconds < 9.95 ? "\(Format.fixed(seconds, 1))s" : Format.time(seconds: seconds)
    Console.log(
      .info, "[\(peer.short)] \(address): was sent \(Format.size(bytes)) of \(Console.escaped(path)) in \(took)",
      .stranger)
  }
}
