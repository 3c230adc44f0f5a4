// The pages of `serve` for those who watch it: its numbers for Prometheus, and whether it lives and is ready.
import MetricsHTTP
import PeerNode
import Posix
import Transfer

/// Answers as long as the process serves or fetches.
struct MetricsPages {
  private let server: MetricsServer
  var address: Endpoint { server.address }

  /// - `metrics`: adds families to the page of numbers.
  /// - `ready`: the page that says whether the work of the process is of use to others.
  init(
    at address: Endpoint, metrics: @escaping @Sendable (inout Exposition) -> Void,
    ready: @escaping @Sendable () -> HTTPPage
  ) throws(Failure) {
    let startedAt = Clock.wallNanoseconds / 1_000_000_000
    do throws(Errno) {
      server = try MetricsServer(at: address) { path in
        switch path {
        case "/metrics":
          var page = Exposition(startedAt: startedAt)
          metrics(&page)
          return HTTPPage(page.text)
        case "/ready": return ready()
        case "/live": return HTTPPage("live\n")
        default: return nil
        }
      }
    } catch {
      throw Failure(
        Exit.ioError,
        "cannot answer Prometheus at \(address): \(error.reason.lowercased()); choose another with --metrics HOST:PORT")
    }
  }

  func stop() { server.stop() }
}

extension MetricsPages {
  /// The pages of `serve`. It is ready when it offers its files.
  init(of node: Server, at address: Endpoint) throws(Failure) {
    try self.init(at: address) {
      $0.add(node.figures)
    } ready: {
      MetricsPages.ready(node.figures)
    }
  }

  static func ready(_ figures: NodeFigures) -> HTTPPage {
    if figures.isScanning {
      let (hashed, all) = (Format.size(figures.hashedBytes), Format.size(figures.bytesToHash))
      return HTTPPage("hashing: \(hashed) of \(all)\n", isGood: false)
    }
    if figures.files == 0 { return HTTPPage("no file is offered\n", isGood: false) }
    return HTTPPage("ready: \(figures.files) files, \(figures.fileBytes) bytes\n")
  }
}

extension Exposition {
  /// A page with what every process says.
  /// - `startedAt`: seconds since 1970.
  fileprivate init(startedAt: Int64) {
    self.init()
    add(
      "p2pnode_build_info", .gauge, "1, with the version of the program.", [.init(1, [("version", P2PNode.version)])])
    add("p2pnode_start_time_seconds", .gauge, "When it started, in seconds since 1970.", startedAt)
  }

  /// The numbers of a node that serves.
  mutating func add(_ figures: NodeFigures) {
    add("p2pnode_connections", .gauge, "Peers that are connected now.", figures.connections)
    add("p2pnode_accepted_total", .counter, "Connections that came in.", figures.accepted)
    add("p2pnode_established_total", .counter, "Connections whose handshake was done.", figures.established)
    add(
      "p2pnode_turned_away_total", .counter, "Connections that ended before their handshake was done.",
      samples(figures.turnedAway))
    add(
      "p2pnode_disconnected_total", .counter, "Connections that ended after it, by who ended them and why.",
      samples(figures.ended))
    add(
      "p2pnode_accept_failures_total", .counter, "Times that the system could not accept.", figures.acceptFailures)
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
    add("p2pnode_withdrawn_total", .counter, "Files that changed or could not be read.", figures.withdrawn)
    add("p2pnode_scanning", .gauge, "1 until the first scan of the folder is over.", figures.isScanning ? 1 : 0)
    add(
      "p2pnode_hashed_bytes", .gauge, "Bytes hashed of the files that came last, at the start of all.",
      figures.hashedBytes)
    add("p2pnode_bytes_to_hash", .gauge, "Bytes of those files.", figures.bytesToHash)
  }

  private func samples(_ ends: [NodeFigures.End: UInt64]) -> [Exposition.Sample] {
    ends.map { (labels: [("by", $0.key.by.rawValue), ("reason", $0.key.reason)], count: $0.value) }
      .sorted { ($0.labels[0].1, $0.labels[1].1) < ($1.labels[0].1, $1.labels[1].1) }
      .map { Exposition.Sample($0.count, $0.labels.map { (name: $0.0, value: $0.1) }) }
  }
}

extension ZoneBytes {
  /// A sample for each kind of zone. The names of other zones are not among the labels: peers choose them.
  var samples: [Exposition.Sample] {
    [(own, "own"), (other, "other"), (unknown, "unknown")].map { .init($0.0, [("zone", $0.1)]) }
  }
}
