// The result of a run of a test swarm.
import Content
import Transfer

extension Swarm {
  /// The last action, if the download has ended.
  var ending: DownloadAction? { state.isEnded ? log.last?.action : nil }

  var finished: DownloadStats? {
    if case .finished(let stats)? = ending { stats } else { nil }
  }

  var failure: DownloadFailure? {
    if case .failed(let failure, _)? = ending { failure } else { nil }
  }

  /// Whether the part file has the whole file.
  var isWhole: Bool {
    (0..<layout.chunkCount).allSatisfy {
      written[ChunkIndex(UInt32($0)), default: 0] == layout.leaves(of: ChunkIndex(UInt32($0))).mask
    }
  }

  var reports: [DownloadReport] {
    log.compactMap { if case .report(let report) = $0.action { report } else { nil } }
  }

  func times(of matches: (DownloadAction) -> Bool) -> [Instant] { log.filter { matches($0.action) }.map(\.at) }
}
