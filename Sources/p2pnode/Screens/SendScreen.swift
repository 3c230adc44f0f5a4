// The screen of a running `send`: what it offers, and a row for each fetch. Pure: makes lines from numbers.
import PeerNode
import Screen
import Storage
import Wire

struct SendScreen {
  /// A peer's fetch.
  struct Row: Hashable {
    let fetch: FetchWatch.Fetch
    let path: String
    /// The rate over the last few seconds.
    let bytesPerSecond: Double

    /// The time left at the current rate. Nil if it is unknown.
    var secondsLeft: Double? {
      bytesPerSecond < 1 ? nil : Double(fetch.byteCount - fetch.sentByteCount) / bytesPerSecond
    }
  }

  /// The name of the offer, as the user gave it.
  let name: String
  let rows: [Row]
  /// The rate of all fetches over the last few seconds.
  let bytesPerSecond: Double
  let uploadedBytes: UInt64
  /// The progress of hashing. Nil if no files are being hashed.
  var hashing: HashReport?
  /// Whether the command ends as soon as the requested data is sent.
  var isStopping = false

  /// Rows of the terminal that keep earlier output visible.
  private static let spareRows = 3

  func render(_ size: ScreenSize, _ style: ScreenStyle) -> [ScreenLine] {
    let width = size.columns - 1
    let rowsMax = max(1, size.rows - SendScreen.spareRows)
    var lines = [title(width, style)]
    if let hashing { lines.append(HashScreen.line(hashing, size, style)) }
    guard !rows.isEmpty, rowsMax >= lines.count + 2 else { return Array(lines.prefix(rowsMax)) }
    let room = rowsMax - lines.count - 1
    let shown = rows.count <= room ? rows : Array(rows.prefix(room - 1))
    lines += ScreenTable(columns: columns(shown, style)).lines(shown, width: width) { row in
      row.bytesPerSecond >= 1 ? nil : .dim
    }
    if shown.count < rows.count { lines.append(ScreenLine("and \(rows.count - shown.count) more", .dim)) }
    return lines
  }

  private func title(_ width: Int, _ style: ScreenStyle) -> ScreenLine {
    if isStopping { return ScreenLine("finishing running uploads (Ctrl-C: end now)") }
    var left = ScreenLine("sending ")
    left.add(Console.escaped(name), .bold)
    let speed = ScreenLine(Format.rate(bytesPerSecond), .green)
    var (withTotal, withHint) = (speed, speed)
    withTotal.add("   \(Format.size(uploadedBytes)) sent")
    withHint.add("   \(Format.size(uploadedBytes)) sent   Ctrl-C ends it")
    // What leaves the name whole.
    let right = [withHint, withTotal].first { left.width + 2 + $0.width <= width } ?? speed
    return .sides(left, right, columns: width, style)
  }

  private func columns(_ rows: [Row], _ style: ScreenStyle) -> [ScreenColumn<Row>] {
    let addressWidth = max(7, rows.map { $0.fetch.address.description.count }.max() ?? 0)
    func column(
      _ title: String, _ widths: ClosedRange<Int>, rank: Int, isRight: Bool = true, _ text: @escaping (Row) -> String
    ) -> ScreenColumn<Row> {
      .text(title, widths, rank: rank, isRight: isRight, style, text)
    }
    let columns = [
      column("PEER", 8...8, rank: 0, isRight: false) { $0.fetch.peer.short },
      column("ADDRESS", min(addressWidth, 21)...addressWidth, rank: 4, isRight: false) {
        $0.fetch.address.description
      }.growsFirst,
      column("DONE", 5...5, rank: 1) { Format.share($0.fetch.share) },
      column("MiB/s", 6...6, rank: 2) { Format.megabytes($0.bytesPerSecond) },
      column("SENT", 10...10, rank: 6) { Format.size($0.fetch.sentByteCount) },
      column("LEFT", 8...8, rank: 5) { $0.secondsLeft.map { Format.time(seconds: $0) } ?? "-" },
    ]
    // The title names the only one.
    guard rows.contains(where: { !$0.path.utf8.elementsEqual(name.utf8) }) else { return columns }
    return columns + [
      column(" ", 1...1, rank: 7) { _ in "" },
      column("FILE", 12...200, rank: 3, isRight: false) { Console.escaped($0.path) },
    ]
  }
}
