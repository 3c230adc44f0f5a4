// The metrics pages of `serve` and `get`: figures for Prometheus, and whether the process is alive and ready.
import Content
import MetricsHTTP
import PeerNode
import Posix
import Transfer
import Wire

/// The pages cannot be served at an address.
struct MetricsFailure: Error {
  let address: Endpoint
  let errno: Errno
}

extension Failure {
  init(_ failure: MetricsFailure) {
    self.init(
      Exit.ioError,
      "cannot serve metrics at \(failure.address): \(failure.errno.reason.lowercased()); choose another "
        + "address with --metrics HOST:PORT")
  }
}

/// Serves the pages while the process serves or fetches.
struct MetricsPages {
  private let server: MetricsServer
  var address: Endpoint { server.address }

  /// - `metrics`: adds figures to the page.
  /// - `ready`: returns the page of `/ready`, which says whether all content of the process is available. With an ID,
  ///   whether that content is.
  init(
    at address: Endpoint, metrics: @escaping @Sendable (inout Exposition) -> Void,
    ready: @escaping @Sendable (FileID?) -> HTTPPage
  ) throws(MetricsFailure) {
    let startedAt = Clock.wallNanoseconds / 1_000_000_000
    do throws(Errno) {
      server = try MetricsServer(at: address) { path, query in
        switch path {
        case "/metrics":
          var page = Exposition(startedAt: startedAt)
          metrics(&page)
          return HTTPPage(page.text)
        case "/ready": return MetricsPages.ready(query, ready)
        case "/live": return HTTPPage("live\n")
        default: return nil
        }
      }
    } catch {
      throw MetricsFailure(address: address, errno: error)
    }
  }

  /// Returns the page of `/ready`, or of `/ready?id=ID`.
  private static func ready(_ query: String?, _ page: (FileID?) -> HTTPPage) -> HTTPPage {
    guard let query else { return page(nil) }
    let ids = query.split(separator: "&").filter { $0.hasPrefix("id=") }.map { $0.dropFirst(3) }
    guard !ids.isEmpty else { return page(nil) }
    guard ids.count == 1, let fileID = FileID(hex: ids[0]) else {
      return HTTPPage("ask for /ready?id=ID, with the 64 digits of one ID\n", isGood: false)
    }
    return page(fileID)
  }

  func stop() { server.stop() }
}

extension MetricsPages {
  /// Serves the pages of `serve`, which is ready when it offers its files.
  init(of node: Server, at address: Endpoint) throws(MetricsFailure) {
    try self.init(at: address) {
      $0.add(node.figures)
    } ready: { fileID in
      MetricsPages.ready(node, fileID)
    }
  }

  private static func ready(_ node: Server, _ fileID: FileID?) -> HTTPPage {
    let figures = node.figures
    if let fileID {
      if node.offers(fileID) { return HTTPPage("ready: the ID is offered\n") }
      let rest = figures.bytesToHash - min(figures.hashedBytes, figures.bytesToHash)
      return HTTPPage(
        "the ID is not offered" + (rest > 0 ? "; hashing: \(Format.size(rest)) are left\n" : "\n"), isGood: false)
    }
    if figures.isScanning {
      let (hashed, all) = (Format.size(figures.hashedBytes), Format.size(figures.bytesToHash))
      return HTTPPage("hashing: \(hashed) of \(all)\n", isGood: false)
    }
    if figures.files == 0 { return HTTPPage("no file is offered\n", isGood: false) }
    return HTTPPage("ready: \(Format.count(figures.files, "file")), \(Format.count(figures.fileBytes, "byte"))\n")
  }
}

extension Exposition {
  /// Makes a page with the figures that every process has.
  /// - `startedAt`: when the process started, in seconds since 1970.
  fileprivate init(startedAt: Int64) {
    self.init()
    add(
      "p2pnode_build_info", .gauge, "1, with the version of the program and its commit.",
      [.init(1, [("version", Version.number), ("commit", Version.commit)])])
    add("p2pnode_start_time_seconds", .gauge, "Start time of the process, in seconds since 1970.", startedAt)
  }

  /// Adds the figures of a serving node.
  mutating func add(_ figures: NodeFigures) {
    add("p2pnode_connections", .gauge, "Peers that are connected now.", figures.connections)
    add("p2pnode_accepted_total", .counter, "Connections that came in.", figures.accepted)
    add("p2pnode_established_total", .counter, "Connections that completed the handshake.", figures.established)
    add(
      "p2pnode_turned_away_total", .counter, "Connections that ended before the end of the handshake.",
      samples(figures.turnedAway, NodeFigures.End.beforeHandshake))
    add(
      "p2pnode_disconnected_total", .counter, "Connections that ended after the handshake, by who ended them and why.",
      samples(figures.ended, NodeFigures.End.afterHandshake))
    add(
      "p2pnode_accept_failures_total", .counter, "Times that the system could not accept a connection.",
      figures.acceptFailures)
    add("p2pnode_opens_total", .counter, "Files that peers opened.", figures.opens)
    add("p2pnode_requests_total", .counter, "Requests for parts of files that were answered.", figures.requests)
    add("p2pnode_uploaded_bytes_total", .counter, "Bytes of files that were sent.", figures.uploadedBytes)
    if let zones = figures.uploadedByZone {
      add(
        "p2pnode_zone_uploaded_bytes_total", .counter, "Bytes of files that were sent, by the zones of the peers.",
        zones.samples)
    }
    add("p2pnode_files", .gauge, "Files that are served.", figures.files)
    add("p2pnode_file_bytes", .gauge, "Bytes of the files that are served.", figures.fileBytes)
    add(
      "p2pnode_withdrawn_total", .counter,
      "Files that were withdrawn: changed in place, removed or replaced by a rename, or not readable.",
      figures.withdrawals.sorted { $0.key.rawValue < $1.key.rawValue }.map {
        .init($0.value, [("reason", $0.key.label)])
      })
    add("p2pnode_scanning", .gauge, "1 until the first scan of the folder is over.", figures.isScanning ? 1 : 0)
    add(
      "p2pnode_hashed_bytes", .gauge, "Bytes hashed so far of the files that came last (at the start, of all files).",
      figures.hashedBytes)
    add(
      "p2pnode_bytes_to_hash", .gauge, "Bytes of the files that came last (at the start, of all files).",
      figures.bytesToHash)
  }

  /// - `known`: the ends that have a sample from the start, because Prometheus sees no increase at a series' first
  ///   sample.
  private func samples(_ ends: [NodeFigures.End: UInt64], _ known: [NodeFigures.End]) -> [Exposition.Sample] {
    ends.merging(known.map { ($0, 0) }) { count, _ in count }.map {
      (labels: [("by", $0.key.by.rawValue), ("reason", $0.key.reason)], count: $0.value)
    }
    .sorted { ($0.labels[0].1, $0.labels[1].1) < ($1.labels[0].1, $1.labels[1].1) }
    .map { Exposition.Sample($0.count, $0.labels.map { (name: $0.0, value: $0.1) }) }
  }
}

extension ZoneBytes {
  /// One sample for each kind of zone. Names of other zones are not labels, because peers choose them.
  var samples: [Exposition.Sample] {
    [(own, "own"), (other, "other"), (unknown, "unknown")].map { .init($0.0, [("zone", $0.1)]) }
  }
}

extension Withdrawn.Reason {
  /// The reason as a label.
  fileprivate var label: String {
    switch self {
    case .changed: "changed"
    case .removed: "removed"
    case .unreadable: "unreadable"
    case .notOffered: "not_offered"
    }
  }
}
