// The line of a screen that says how far a transfer is. Pure: a line from numbers.
import Screen

struct TransferBar {
  /// 0…1.
  let share: Double
  /// Bytes.
  let done: UInt64
  /// Bytes of all.
  let length: UInt64
  let bytesPerSecond: Double
  /// More will come whose length is not known yet: `length` is that of the others.
  var isPartial = false

  /// As wide as the screen is.
  func line(_ width: Int, _ style: ScreenStyle) -> ScreenLine {
    let total = Format.size(length) + (isPartial ? "+" : "")
    var parts = ["  " + DisplayWidth.padded(Format.rate(bytesPerSecond), to: 12, isRight: true)]
    parts.append("  " + DisplayWidth.padded(timeLeft, to: 12, isRight: true))
    parts.append("  " + DisplayWidth.padded("\(Format.size(done)) of \(total)", to: total.count + 14, isRight: true))
    // As much of it as leaves a bar that says something.
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
