// The numbers of `serve` for Prometheus: their names, units and help.
import Metrics
import PeerNode
import Posix

/// Answers scrapers as long as the server runs.
struct ServeMetrics {
  private let server: MetricsServer
  var address: Endpoint { server.address }

  init(of node: Server, at address: Endpoint) throws(Failure) {
    let startedAt = Clock.wallNanoseconds / 1_000_000_000
    do throws(Errno) {
      server = try MetricsServer(at: address) { ServeMetrics.page(node.figures, startedAt: startedAt) }
    } catch {
      throw Failure(
        Exit.ioError,
        "cannot answer Prometheus at \(address): \(error.reason.lowercased()); choose another with --metrics HOST:PORT")
    }
  }

  func stop() { server.stop() }

  /// - `startedAt`: seconds since 1970.
  static func page(_ figures: NodeFigures, startedAt: Int64) -> String {
    var page = Exposition()
    page.add(
      "p2pnode_build_info", .gauge, "1, with the version of the program.",
      [.init(1, [("version", P2PNode.version)])])
    page.add("p2pnode_start_time_seconds", .gauge, "When it started, in seconds since 1970.", startedAt)
    page.add("p2pnode_connections", .gauge, "Peers that are connected now.", figures.connections)
    page.add("p2pnode_accepted_total", .counter, "Connections that came in.", figures.accepted)
    page.add("p2pnode_established_total", .counter, "Connections whose handshake was done.", figures.established)
    page.add(
      "p2pnode_turned_away_total", .counter, "Connections that ended before their handshake was done.",
      samples(figures.turnedAway))
    page.add(
      "p2pnode_disconnected_total", .counter, "Connections that ended after it, by who ended them and why.",
      samples(figures.ended))
    page.add(
      "p2pnode_accept_failures_total", .counter, "Times that the system could not accept.", figures.acceptFailures)
    page.add("p2pnode_opens_total", .counter, "Files that peers opened.", figures.opens)
    page.add("p2pnode_requests_total", .counter, "Requests for parts of files that were answered.", figures.requests)
    page.add("p2pnode_uploaded_bytes_total", .counter, "Bytes of files that were sent.", figures.uploadedBytes)
    page.add("p2pnode_files", .gauge, "Files that are served.", figures.files)
    page.add("p2pnode_file_bytes", .gauge, "Bytes of the files that are served.", figures.fileBytes)
    page.add("p2pnode_withdrawn_total", .counter, "Files that changed or could not be read.", figures.withdrawn)
    page.add("p2pnode_scanning", .gauge, "1 until the first scan of the folder is over.", figures.isScanning ? 1 : 0)
    page.add(
      "p2pnode_hashed_bytes", .gauge, "Bytes hashed of the files that came last, at the start of all.",
      figures.hashedBytes)
    page.add("p2pnode_bytes_to_hash", .gauge, "Bytes of those files.", figures.bytesToHash)
    return page.text
  }

  private static func samples(_ ends: [NodeFigures.End: UInt64]) -> [Exposition.Sample] {
    ends.map { (labels: [("by", $0.key.by.rawValue), ("reason", $0.key.reason)], count: $0.value) }
      .sorted { ($0.labels[0].1, $0.labels[1].1) < ($1.labels[0].1, $1.labels[1].1) }
      .map { Exposition.Sample($0.count, $0.labels.map { (name: $0.0, value: $0.1) }) }
  }
}
