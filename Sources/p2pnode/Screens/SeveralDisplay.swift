// The screen of a running `get` with several IDs. Each download updates its row.
import Content
import PeerNode
import Transfer
import Wire

/// Confined to the thread that receives the downloads' updates.
final class SeveralDisplay {
  private var screen: SeveralScreen
  private var trouble = PeerTrouble()

  init(_ rows: [DownloadRow]) {
    screen = SeveralScreen(rows: rows)
    show()
  }

  /// Returns the observer of a download.
  func row(_ place: Int) -> any DownloadObserver { SeveralDisplayRow(self, place) }

  func end() { Console.endShow() }

  fileprivate func change(_ place: Int, _ change: (inout DownloadRow) -> Void) {
    change(&screen.rows[place])
    show()
  }

  /// A connection can serve several downloads, so several may report the same event.
  fileprivate func peer(_ update: DownloadUpdate) { trouble.see(update) }

  private func show() { Console.show { screen.render($0, $1) } }
}

/// One download's row.
private final class SeveralDisplayRow: DownloadObserver {
  private let display: SeveralDisplay
  private let place: Int
  /// Bytes that were on the disk before.
  private var resumedBytes: UInt64 = 0

  init(_ display: SeveralDisplay, _ place: Int) {
    (self.display, self.place) = (display, place)
    display.change(place) { $0.stage = .looking }
  }

  func see(_ update: DownloadUpdate) {
    switch update {
    case .prepared(let name, let length):
      display.change(place) { ($0.name, $0.length, $0.stage) = (name, length, .fetching) }
    case .resumed(_, let bytes): resumedBytes += bytes
    case .progress(let progress): show(progress)
    case .report(.peerBanned), .unresolved, .peerEnded: display.peer(update)
    case .staying: display.change(place) { $0.stage = .serving }
    case .waiting(let wait):
      display.change(place) { row in row.stage = wait != nil ? .lacking : row.length == nil ? .looking : .fetching }
    case .planned, .listing, .files, .report, .resolved, .searched, .found, .listening, .unreadable: break
    }
  }

  private func show(_ progress: DownloadProgress) {
    let live = progress.peers.filter { $0.activity != .gone && $0.activity != .banned }
    let isWhole = progress.finishedChunks == progress.totalChunks
    display.change(place) { row in
      if let folder = progress.folder { (row.length, row.folder) = (folder.totalBytes, folder) }
      row.doneBytes = isWhole ? row.length ?? 0 : resumedBytes + progress.bytes
      row.bytesPerSecond = progress.bytesPerSecond
      row.peers = Set(live.map(\.stats.peer))
    }
  }

  func ended(_ result: DownloadResult) { display.change(place) { $0.stage = .done } }
  func failed(_ error: DownloadError, _ failure: Failure) { display.change(place) { $0.stage = .failed } }
  func failedBeforeStart(_ failure: Failure) { display.change(place) { $0.stage = .failed } }
}
