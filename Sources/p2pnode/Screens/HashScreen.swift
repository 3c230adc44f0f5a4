// The line on a terminal that shows hashing. Pure: makes a line from numbers.
import Screen
import Storage

enum HashScreen {
  /// - `name`: the file's name, not escaped. Nil: the line is about all files.
  static func line(_ report: HashReport, name: String? = nil, _ size: ScreenSize, _ style: ScreenStyle) -> ScreenLine {
    let progress = report.progress
    let width = size.columns - 1
    let share = progress.bytesTotal == 0 ? 1 : Double(progress.bytesDone) / Double(progress.bytesTotal)
    let total = Format.size(progress.bytesTotal)
    let done = DisplayWidth.padded(
      "\(Format.size(progress.bytesDone)) of \(total)", to: total.count + 14, isRight: true)
    let left = report.secondsLeft.map { "\(Format.time(seconds: $0)) left" } ?? ""
    var right = "  " + DisplayWidth.padded(Format.share(share), to: 5, isRight: true) + "  " + done
    if width - right.count >= 40 { right += "  " + DisplayWidth.padded(left, to: 12, isRight: true) }
    let what = name.map(Console.escaped) ?? "\(progress.filesDone) of \(Format.count(progress.filesTotal, "file"))"
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

  /// Shows the line, if stderr is a terminal.
  static func show(_ report: HashReport, name: String) {
    Console.show { size, style in [line(report, name: name, size, style)] }
  }
}
