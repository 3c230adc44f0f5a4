// The line of a screen with the progress of a transfer. Pure: makes a line from numbers.
import Screen

struct TransferBar {
  /// The part that is done, from 0 to 1.
  let share: Double
  /// The bytes that are done.
  let done: UInt64
  /// The bytes of the whole transfer.
  let length: UInt64
  let bytesPerSecond: Double
  /// Whether some lengths are still unknown. `length` is the sum of the known ones.
  var isPartial = false

  /// Returns a line of this width.
  func line(_ width: Int, _ style: ScreenStyle) -> ScreenLine {
    let total = Format.size(length) + (isPartial ? "+" : "")
    var parts = ["  " + DisplayWidth.padded(Format.rate(bytesPerSecond), to: 12, isRight: true)]
    parts.append("  " + DisplayWidth.padded(timeLeft, to: 12, isRight: true))
    parts.append("  " + DisplayWidth.padded("\(Format.size(done)) of \(total)", to: total.count + 14, isRight: true))
    // Drops parts at the right until the bar has a useful width.
    while width - 6 - parts.joined().count < 10 && !parts.isEmpty { parts.removeLast() }
    let right = parts.joined()
    var line = ScreenLine(DisplayWidth.padded("\(Format.share(share)) ", to: 6, isRight: true))
    line.add(.bar(share, columns: max(0, width - 6 - right.count), style))
    line.add(right)
    return line
  }

  private var timeLeft: String {
    let left = length - min(done, length)
    if left == 0 { return "" }
    guard bytesPerSecond >= 1 else { return "stalled" }
    return (isPartial ? ">" : "") + Format.time(seconds: Double(left) / bytesPerSecond) + " left"
  }
}
