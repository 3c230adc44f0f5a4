// The line that shows hashing on a terminal.
import Storage

enum HashScreen {
  static func line(_ progress: HashProgress, name: String? = nil) -> String {
    let percent = progress.bytesTotal == 0 ? 100 : Double(progress.bytesDone) / Double(progress.bytesTotal) * 100
    let what = name.map(Console.escaped) ?? "\(progress.filesDone) of \(progress.filesTotal) files"
    return "hashing \(what): \(Format.fixed(percent, 0))% of \(Format.size(progress.bytesTotal))"
  }
}
