// Prints the place of the output of `get`: in the last line on stderr, and as a path alone on stdout.
import PeerNode
import Posix

final class GetSaved: DownloadObserver {
  /// Whether stderr gets a line.
  private let isTold: Bool
  /// Whether stdout gets the path.
  private let isPrinted: Bool
  /// Whether an existing folder is updated. Then many bytes need not be fetched.
  private let isUpdate: Bool
  private var isSaid = false
  /// Bytes that an earlier download left.
  private var resumedBytes: UInt64 = 0

  init(isTold: Bool, isPrinted: Bool, isUpdate: Bool) {
    (self.isTold, self.isPrinted, self.isUpdate) = (isTold, isPrinted, isUpdate)
  }

  func see(_ update: DownloadUpdate) {
    switch update {
    case .resumed(_, let bytes): resumedBytes += bytes
    case .staying(let result): say(result)
    default: break
    }
  }

  func ended(_ result: DownloadResult) { say(result) }

  func failed(_ error: DownloadError, _ failure: Failure) {}

  private func say(_ result: DownloadResult) {
    guard !isSaid, let path = result.path else { return }
    isSaid = true
    // For a file that already existed, the path was already printed.
    if isTold, !result.wasFound {
      let took = Format.seconds(result.stats.duration)
      let time = took < 9.95 ? "\(Format.fixed(took, 1))s" : Format.time(seconds: took)
      let bytes = Format.size(result.stats.bytes)
      let whole = resumedBytes > 0 ? "\(Format.size(resumedBytes + result.stats.bytes)), " : ""
      let fetched = resumedBytes > 0 || isUpdate ? "\(whole)\(bytes) fetched" : bytes
      Console.error("Saved \(Console.escaped(path)) (\(fetched) in \(time))")
    }
    // On a terminal, the line before this one already shows the path.
    let isTerminal = Terminal.isTerminal(.standardOutput)
    if isPrinted, !(isTerminal && isTold) { Console.output(isTerminal ? Console.escaped(path) : path) }
  }
}
