// Where the output of `get` is: the last line on stderr, and the path alone on stdout.
import PeerNode
import Posix

final class GetSaved: DownloadObserver {
  /// Whether stderr gets a line.
  private let isTold: Bool
  /// Whether stdout gets the path.
  private let isPrinted: Bool
  private var isSaid = false

  init(isTold: Bool, isPrinted: Bool) { (self.isTold, self.isPrinted) = (isTold, isPrinted) }

  func see(_ update: DownloadUpdate) { if case .staying(let result) = update { say(result) } }

  func ended(_ result: DownloadResult) { say(result) }

  func failed(_ error: DownloadError, _ failure: Failure) {}

  private func say(_ result: DownloadResult) {
    guard !isSaid, let path = result.path else { return }
    isSaid = true
    // What was there already has been named.
    if isTold, !result.wasFound {
      let took = Format.seconds(result.stats.duration)
      let time = took < 9.95 ? "\(Format.fixed(took, 1))s" : Format.time(seconds: took)
      Console.error("Saved \(Console.escaped(path)) (\(Format.size(result.stats.bytes)) in \(time))")
    }
    // On a terminal the line before it says the same.
    let isTerminal = Terminal.isTerminal(.standardOutput)
    if isPrinted, !(isTerminal && isTold) { Console.output(isTerminal ? Console.escaped(path) : path) }
  }
}
