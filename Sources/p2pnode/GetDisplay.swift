// What `get` shows on a terminal while it runs: a line that is redrawn in place.
import Node
import Transfer

final class GetDisplay: DownloadObserver {
  private var name = ""
  private var length: UInt64 = 0

  func see(_ update: DownloadUpdate) {
    switch update {
    case .prepared(let name, let length): (self.name, self.length) = (name, length)
    case .progress(let progress): Console.status(line(progress))
    default: break
    }
  }

  func ended(_ result: DownloadResult) { Console.endStatus() }
  func failed(_ error: DownloadError, _ failure: Failure) { Console.endStatus() }

  /// Bar, share, speed, time left, peers.
  private func line(_ progress: DownloadProgress) -> String {
    let share = progress.totalChunks == 0 ? 1 : Double(progress.finishedChunks) / Double(progress.totalChunks)
    let width = 20
    let filled = Int(share * Double(width))
    let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
    let left = (1 - share) * Double(length) / max(progress.bytesPerSecond, 1)
    let time = left < 100_000 && progress.bytesPerSecond > 0 ? "\(Format.fixed(left, 0))s left" : "-"
    return "[\(bar)] \(Format.fixed(share * 100, 0))% \(Format.speed(progress.bytesPerSecond)) \(time), "
      + "\(progress.livePeers) peers  \(Console.escaped(name))"
  }
}
