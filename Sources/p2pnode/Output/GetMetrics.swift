// The metrics pages of `get`: the figures of its downloads, and whether the outputs are complete.
import Content
import MetricsHTTP
import PeerNode
import Synchronization
import Transfer

/// Counts over all downloads of the process. Any thread may use it.
final class GetMetrics: Sendable {
  fileprivate struct Row {
    let fileID: FileID
    var isOver = false
    var isThere = false
    /// Whether another program changed the output after it was complete.
    var isChanged = false
    var bytes: UInt64 = 0
    var totalChunks = 0
    var completeChunks = 0
    var sources = 0
    var retries = 0
    var hedges = 0
    var banned: UInt64 = 0
    var zones: ZoneBytes?

    init(_ fileID: FileID) { self.fileID = fileID }

    mutating func take(_ progress: DownloadProgress) {
      (bytes, totalChunks, completeChunks) = (progress.bytes, progress.totalChunks, progress.finishedChunks)
      (sources, retries, hedges) = (progress.livePeers, progress.retries, progress.hedges)
      zones = progress.zones
    }

    mutating func end(_ stats: DownloadStats, isThere: Bool) {
      (bytes, totalChunks, completeChunks) = (
        stats.bytes, stats.totalChunks, stats.downloadedChunks + stats.resumedChunks
      )
      (sources, retries, hedges) = (0, stats.retries, stats.hedges)
      zones = stats.zones
      (isOver, self.isThere) = (true, isThere)
    }
  }
  private let rows: Mutex<[Row]>

  /// Whether bytes are counted by zone.
  private let isInZone: Bool

  /// - `fileIDs`: the downloads that the user asked for.
  init(_ fileIDs: [FileID], isInZone: Bool) {
    rows = Mutex(fileIDs.map(Row.init))
    self.isInZone = isInZone
  }

  /// Returns the observer of the download at a place.
  func observer(_ place: Int) -> any DownloadObserver { GetMetricsObserver(self, place) }

  fileprivate func change(_ place: Int, _ body: (inout Row) -> Void) { rows.withLock { body(&$0[place]) } }

  func add(to page: inout Exposition) {
    let rows = rows.withLock { $0 }
    let there = rows.count(where: \.isThere)
    let failed = rows.count { $0.isOver && !$0.isThere }
    page.add(
      "p2pnode_downloads", .gauge, "Downloads by state.",
      [
        .init(rows.count - there - failed, [("state", "unfinished")]), .init(there, [("state", "complete")]),
        .init(failed, [("state", "failed")]),
      ])
    page.add("p2pnode_downloaded_bytes_total", .counter, "Bytes that were fetched and verified.", rows.sum(\.bytes))
    if isInZone {
      page.add(
        "p2pnode_zone_downloaded_bytes_total", .counter,
        "Bytes that were fetched and verified, by the zones of the peers.",
        rows.compactMap(\.zones).reduce(ZoneBytes(), +).samples)
    }
    page.add("p2pnode_chunks", .gauge, "Chunks of the downloads.", rows.sum(\.totalChunks))
    page.add("p2pnode_complete_chunks", .gauge, "Chunks that are complete.", rows.sum(\.completeChunks))
    page.add("p2pnode_sources", .gauge, "Peers that have data of a download.", rows.sum(\.sources))
    page.add(
      "p2pnode_banned_peers_total", .counter, "Times that a peer was banned because it sent wrong data.",
      rows.sum(\.banned))
    page.add("p2pnode_retries_total", .counter, "Times that a chunk was tried again.", rows.sum(\.retries))
    page.add(
      "p2pnode_hedges_total", .counter, "Times that a second peer was asked for a late chunk.", rows.sum(\.hedges))
  }

  /// Returns the page of `/ready`. It is good if all outputs are complete and, as far as the process knows, unchanged.
  /// - `fileID`: the ID of the only output to check. Nil: all.
  func ready(_ fileID: FileID?) -> HTTPPage {
    let rows = rows.withLock { $0 }.filter { fileID == nil || $0.fileID == fileID }
    if rows.isEmpty { return HTTPPage("this get does not fetch that ID\n", isGood: false) }
    let changed = rows.count(where: \.isChanged)
    if changed > 0 {
      return HTTPPage(
        "\(changed) of \(rows.count) outputs were changed after they were complete, and are no longer offered\n",
        isGood: false)
    }
    let there = rows.count(where: \.isThere)
    return HTTPPage(
      "\(there) of \(Format.count(rows.count, "download")) \(rows.count == 1 ? "is" : "are") complete\n",
      isGood: there == rows.count)
  }
}

extension [GetMetrics.Row] {
  fileprivate func sum<Number: BinaryInteger>(_ number: (GetMetrics.Row) -> Number) -> Number {
    reduce(0) { $0 + number($1) }
  }
}

/// Observes one download.
private final class GetMetricsObserver: DownloadObserver {
  private let metrics: GetMetrics
  private let place: Int

  init(_ metrics: GetMetrics, _ place: Int) { (self.metrics, self.place) = (metrics, place) }

  func see(_ update: DownloadUpdate) {
    switch update {
    case .progress(let progress): metrics.change(place) { $0.take(progress) }
    case .staying(let result): metrics.change(place) { $0.end(result.stats, isThere: true) }
    case .report(.peerBanned): metrics.change(place) { $0.banned += 1 }
    case .unreadable: metrics.change(place) { $0.isChanged = true }
    default: break
    }
  }

  func ended(_ result: DownloadResult) { metrics.change(place) { $0.end(result.stats, isThere: true) } }
  func failed(_ error: DownloadError, _ failure: Failure) {
    metrics.change(place) { row in
      if case .failed(_, let stats, _) = error { row.end(stats, isThere: false) }
      row.isOver = true
    }
  }
  func failedBeforeStart(_ failure: Failure) { metrics.change(place) { $0.isOver = true } }
}
