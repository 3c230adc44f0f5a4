// The screen of a running `serve`: what it offers and sends, and a row for each connection. Pure: makes lines from
// numbers.
import PeerNode
import Screen
import Storage
import Wire

struct ServeScreen {
  let folder: String
  let status: ServerStatus
  /// The rate of all connections over the last few seconds.
  let bytesPerSecond: Double
  /// The rate of each connection, by its id.
  let speeds: [UInt64: Double]
  /// The progress of hashing. Nil if no files are being hashed.
  var hashing: HashReport?
  /// Whether the command ends as soon as the requested data is sent.
  var isStopping = false

  /// Rows of the terminal that keep earlier output visible.
  private static let spareRows = 3

  func render(_ size: ScreenSize, _ style: ScreenStyle) -> [ScreenLine] {
    let width = size.columns - 1
    let rowsMax = max(1, size.rows - ServeScreen.spareRows)
    var lines = [title(width, style), totals]
    if let hashing { lines.append(HashScreen.line(hashing, size, style)) }
    guard !status.connections.isEmpty, rowsMax >= lines.count + 2 else { return Array(lines.prefix(rowsMax)) }
    let (shown, others) = chosen(atMost: rowsMax - lines.count - 1)
    lines += ScreenTable(columns: columns(shown, style)).lines(shown, width: width) { row in
      (speeds[row.id] ?? 0) >= 1 ? nil : .dim
    }
    if let others { lines.append(ScreenLine(others, .dim)) }
    return lines
  }

  private func title(_ width: Int, _ style: ScreenStyle) -> ScreenLine {
    var left = ScreenLine(isStopping ? "finishing running uploads (Ctrl-C: end now)" : "serving ")
    if !isStopping { left.add(Console.escaped(folder), .bold) }
    let files = "\(Format.count(status.files, "file")), \(Format.size(status.fileBytes))"
    return .sides(left, ScreenLine(files), columns: width, style)
  }

  private var totals: ScreenLine {
    var line = ScreenLine(Format.count(status.connections.count, "connection"))
    line.add("   \(DisplayWidth.padded(Format.rate(bytesPerSecond), to: 12, isRight: true)) up", .green)
    line.add("   \(Format.size(status.uploadedBytes)) sent")
    if status.turnedAwayTotal > 0 { line.add("   \(status.turnedAwayTotal) turned away", .dim) }
    return line
  }

  /// Returns the connections in the order in which they came. If there are too many, chooses those with the highest
  /// rates.
  private func chosen(atMost rowsMax: Int) -> (rows: [ServerStatus.Connection], others: String?) {
    let all = status.connections
    guard all.count > rowsMax else { return (all, nil) }
    let order = all.indices.sorted { a, b in
      let (speedA, speedB) = (speeds[all[a].id] ?? 0, speeds[all[b].id] ?? 0)
      return speedA == speedB ? a < b : speedA > speedB
    }
    let room = max(0, rowsMax - 1)
    let speed = order[room...].reduce(0) { $0 + (speeds[all[$1].id] ?? 0) }
    return (order[..<room].sorted().map { all[$0] }, "and \(all.count - room) more: \(Format.rate(speed))")
  }

  private func columns(
    _ rows: [ServerStatus.Connection], _ style: ScreenStyle
  ) -> [ScreenColumn<ServerStatus.Connection>] {
    let addressWidth = max(7, rows.map { $0.address.description.count }.max() ?? 0)
    func column(
      _ title: String, _ widths: ClosedRange<Int>, rank: Int, isRight: Bool = true,
      _ text: @escaping (ServerStatus.Connection) -> String
    ) -> ScreenColumn<ServerStatus.Connection> {
      .text(title, widths, rank: rank, isRight: isRight, style, text)
    }
    return [
      column("PEER", 8...8, rank: 0, isRight: false) { $0.peer.short },
      column("ADDRESS", min(addressWidth, 21)...addressWidth, rank: 3, isRight: false) { $0.address.description }
        .growsFirst,
      column("MiB/s", 6...6, rank: 1) { Format.megabytes(speeds[$0.id] ?? 0) },
      column("SENT", 10...10, rank: 4) { Format.size($0.uploadedBytes) },
      column("SINCE", 7...7, rank: 5) { Format.time(seconds: Format.seconds($0.duration)) },
      column(" ", 1...1, rank: 6) { _ in "" },
      column("FILE", 16...200, rank: 2, isRight: false) { ServeScreen.file($0) },
    ]
  }

  private static func file(_ connection: ServerStatus.Connection) -> String {
    guard let path = connection.sendingPath ?? connection.openPaths.first else { return "-" }
    let others = connection.openPaths.count - 1
    return others > 0 ? "\(Console.escaped(path)) +\(others)" : Console.escaped(path)
  }
}
