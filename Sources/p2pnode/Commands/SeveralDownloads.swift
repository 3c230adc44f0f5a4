// `get` with several IDs: runs the downloads on one node, a few at a time.
import Content
import PeerNode
import Posix
import Transfer

/// One download of several.
struct SeveralItem {
  let fileID: FileID
  /// The length in bytes. Nil: any.
  let length: UInt64?
  let peers: [PeerSource]
  let target: DownloadTarget
  let folder: PeerNode.FolderOptions
}

/// Runs downloads until all are over. Confined to one thread.
final class SeveralDownloads {
  private let node: Node
  private let items: [SeveralItem]
  private let jobs: Int
  private let settings: DownloadSettings
  private let sharing: Sharing?
  private let stop: StopSignal
  /// Whether the node looks for peers that the user did not name.
  private let looksForPeers: Bool
  /// Makes the log of a download when it starts.
  private let makeLog: (Int) -> GetLog
  private let group = DownloadGroup()
  /// The indices in `items` of the running downloads.
  private var places: [ObjectIdentifier: Int] = [:]
  private var logs: [Int: GetLog] = [:]
  /// Downloads whose file is complete and still offered. They do not count as running jobs.
  private var staying: Set<Int> = []
  private var startedCount = 0
  private var failures: [Int: Failure] = [:]
  private(set) var doneCount = 0
  private(set) var bytes: UInt64 = 0

  init(
    _ items: [SeveralItem], on node: Node, jobs: Int, settings: DownloadSettings, sharing: Sharing?, stop: StopSignal,
    looksForPeers: Bool, log: @escaping (Int) -> GetLog
  ) {
    (self.items, self.node, self.jobs, self.settings) = (items, node, jobs, settings)
    (self.sharing, self.stop, self.looksForPeers, makeLog) = (sharing, stop, looksForPeers, log)
  }

  /// Blocks until all downloads are over.
  /// - `placed`: called when an output has its name.
  /// - Returns: the failures, in the order of the items.
  func run(placed: (DownloadResult) -> Void) -> [Failure] {
    startMore()
    while let (download, news) = group.next() {
      guard let place = places[ObjectIdentifier(download)], let log = logs[place] else {
        preconditionFailure("the group has only downloads of this list")
      }
      switch news {
      case .update(let update):
        if case .staying(let result) = update {
          staying.insert(place)
          placed(result)
        }
        log.print(update)
      case .ended(let result):
        places[ObjectIdentifier(download)] = nil
        ended(place, result, log, placed)
      }
      startMore()
    }
    failAllThatWait()
    return failures.sorted { $0.key < $1.key }.map(\.value)
  }

  private func startMore() {
    while startedCount < items.count, places.count - staying.count < jobs, !stop.hasCome {
      start(startedCount)
      startedCount += 1
    }
  }

  private func start(_ place: Int) {
    let item = items[place]
    guard !item.peers.isEmpty || looksForPeers || item.target.isTaken else {
      return failBeforeStart(place, Failure.noPeerIsKnown)
    }
    let download = node.download(
      item.fileID, length: item.length, from: item.peers, to: item.target, settings: settings, shares: sharing != nil,
      stay: sharing?.stay, folder: item.folder)
    places[ObjectIdentifier(download)] = place
    logs[place] = makeLog(place)
    group.add(download)
    if stop.hasCome { download.cancel() }  // the signal may have come before the node knew the download
  }

  private func ended(
    _ place: Int, _ result: Result<DownloadResult, DownloadError>, _ log: GetLog, _ placed: (DownloadResult) -> Void
  ) {
    logs[place] = nil
    switch result {
    case .success(let result):
      doneCount += 1
      bytes += result.stats.bytes
      if staying.remove(place) == nil { placed(result) }
      log.ended(result)
    case .failure(let error):
      let item = items[place]
      let failure = log.failure(error, stop: stop, fileID: item.fileID, target: item.target)
      log.failed(error, failure)
      failed(place, failure)
    }
  }

  // MARK: Failures

  /// Fails the downloads that had not started when a signal came. Prints one line for all.
  private func failAllThatWait() {
    let waiting = startedCount..<items.count
    guard !waiting.isEmpty else { return }
    let failure = Failure(stop.exitCode, "interrupted before it began; run the same command again")
    for place in waiting {
      makeLog(place).failedBeforeStart(failure)
      failures[place] = failure
    }
    let ones = Format.count(waiting.count, "download")
    var all = Failure(stop.exitCode, "interrupted before \(ones) began; run the same command again")
    all.isTold = true
    all.say(json: false)
  }

  private func failBeforeStart(_ place: Int, _ failure: Failure) {
    makeLog(place).failedBeforeStart(failure)
    failed(place, failure)
  }

  private func failed(_ place: Int, _ failure: Failure) {
    var named = Failure(failure.code, "\(items[place].fileID.hex): \(failure.message)")
    named.isTold = true
    named.say(json: false)
    failures[place] = failure
  }
}
