// Records the figures of a node in a metrics system, with the names of `p2pnode serve --metrics`.
import Metrics
import P2P
import Synchronization

/// Records the figures of one node. The node's counts only grow. Each counter is increased by their growth.
public final class NodeMetrics: Sendable {
  private struct Key: Hashable {
    let label: String
    var dimensions: [String] = []
  }
  private struct State {
    var gauges: [String: Gauge] = [:]
    /// The counters, with the sums recorded so far.
    var counters: [Key: (counter: Counter, sum: UInt64)] = [:]
  }

  private let factory: any MetricsFactory
  private let state = Mutex(State())

  public init(_ factory: any MetricsFactory) { self.factory = factory }

  /// Records figures. Any task may call it.
  public func record(_ figures: NodeFigures) {
    state.withLock { state in
      gauge("p2pnode_connections", figures.connections, &state)
      gauge("p2pnode_files", figures.files, &state)
      gauge("p2pnode_file_bytes", figures.fileBytes, &state)
      gauge("p2pnode_scanning", figures.isScanning ? 1 : 0, &state)
      gauge("p2pnode_hashed_bytes", figures.hashedBytes, &state)
      gauge("p2pnode_bytes_to_hash", figures.bytesToHash, &state)
      count("p2pnode_accepted_total", figures.accepted, &state)
      count("p2pnode_established_total", figures.established, &state)
      count("p2pnode_accept_failures_total", figures.acceptFailures, &state)
      count("p2pnode_opens_total", figures.opens, &state)
      count("p2pnode_requests_total", figures.requests, &state)
      count("p2pnode_uploaded_bytes_total", figures.uploadedBytes, &state)
      count("p2pnode_withdrawn_total", figures.withdrawn, &state)
      for (end, sum) in figures.turnedAway { count("p2pnode_turned_away_total", sum, of: end, &state) }
      for (end, sum) in figures.ended { count("p2pnode_disconnected_total", sum, of: end, &state) }
    }
  }

  private func gauge(_ label: String, _ value: some BinaryInteger, _ state: inout State) {
    let gauge = state.gauges[label] ?? Gauge(label: label, factory: factory)
    state.gauges[label] = gauge
    gauge.record(value)
  }

  private func count(_ label: String, _ sum: UInt64, of end: NodeFigures.End? = nil, _ state: inout State) {
    let key = Key(label: label, dimensions: end.map { [$0.by.rawValue, $0.reason] } ?? [])
    let (counter, before) =
      state.counters[key] ?? (Counter(label: label, dimensions: dimensions(end), factory: factory), 0)
    // Older figures may arrive later.
    state.counters[key] = (counter, max(before, sum))
    counter.increment(by: Int64(clamping: sum > before ? sum - before : 0))
  }

  private func dimensions(_ end: NodeFigures.End?) -> [(String, String)] {
    end.map { [("by", $0.by.rawValue), ("reason", $0.reason)] } ?? []
  }
}
