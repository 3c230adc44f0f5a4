// The line that shows hashing on a terminal. Pure: a line from numbers.
import Screen
import Storage

enum HashScreen {
  /// - `name`: of the file, as it is; nil: of all of the files.
  static func line(_ progress: HashProgress, name: String? = nil, _ size: ScreenSize, _ style: ScreenStyle)
    -> ScreenLine
  {
    let width = size.columns - 1
    let share = progress.bytesTotal == 0 ? 1 : Double(progress.bytesDone) / Double(progress.bytesTotal)
    let total = Format.size(progress.bytesTotal)
    let done = DisplayWidth.padded(
      "\(Format.size(progress.bytesDone)) of \(total)", to: total.count + 14, isRight: true)
    let right = "  " + DisplayWidth.padded(Format.share(share), to: 5, isRight: true) + "  " + done
    let what = name.map(Console.escaped) ?? "\(progress.filesDone) of \(progress.filesTotal) files"
    let barWidth = max(0, min(40, (width - right.count) / 2))
    let room = max(0, width - right.count - barWidth - 10)
    var line = ScreenLine("hashing ")
    let shown = DisplayWidth.cutMiddle(what, to: room, mark: style.mark)
    line.add(shown, .bold)
    line.add("  ")
    line.add(.bar(share, columns: max(barWidth, min(60, width - right.count - line.width)), style))
    line.add(right)
    return line
  }

  /// Shows it, where there is a terminal.
  static func show(_ progress: HashProgress, name: String) {
    Console.show { size, style in [line(progress, name: name, size, style)] }
  }
}
