// The screen of a running `get` with several IDs: the progress of all, and a row for each download. Pure: makes lines
// from numbers.
import Screen
import Transfer
import Wire

/// A download's row.
struct DownloadRow {
  enum Stage: Hashable {
    /// It has not been started.
    case waiting
    /// No peer has answered yet.
    case looking
    /// It waits for peers that have what is missing.
    case lacking
    /// It checks what the disk has, or receives chunks.
    case fetching
    /// The output is complete and still offered.
    case serving
    case done
    case failed
  }

  /// The name that peers gave. Before that, the start of the ID.
  var name: String
  /// The length in bytes. Nil while it is unknown.
  var length: UInt64?
  /// Verified bytes on the disk.
  var doneBytes: UInt64 = 0
  /// The progress of a folder whose listing is known. Otherwise nil.
  var folder: FolderProgress?
  var bytesPerSecond: Double = 0
  /// The connected peers that have it.
  var peers: Set<PeerID> = []
  var stage = Stage.waiting

  var isOver: Bool { stage == .done || stage == .failed || stage == .serving }

  /// The bytes on the disk, at most `length`.
  var done: UInt64 { stage == .done || stage == .serving ? length ?? 0 : min(doneBytes, length ?? 0) }

  fileprivate var share: Double {
    if stage == .done || stage == .serving { return 1 }
    return length.map { $0 == 0 ? 0 : Double(done) / Double($0) } ?? 0
  }

  fileprivate var word: String {
    switch stage {
    case .waiting: "waiting"
    case .looking: "looking"
    case .lacking: "no peers"
    case .fetching: "fetching"
    case .serving: "serving"
    case .done: "done"
    case .failed: "failed"
    }
  }

  fileprivate var look: Look? {
    switch stage {
    case .waiting, .done, .serving: .dim
    case .failed: .red
    case .lacking: .yellow
    case .looking, .fetching: nil
    }
  }

  /// Rows with higher values are shown first if there are too many.
  fileprivate var urgency: Int {
    switch stage {
    case .fetching: 4
    case .looking, .lacking: 3
    case .failed: 2
    case .waiting: 1
    case .serving, .done: 0
    }
  }
}

struct SeveralScreen {
  /// The rows in the order in which the user gave the IDs.
  var rows: [DownloadRow]

  /// Rows of the terminal that keep earlier output visible.
  private static let spareRows = 3

  func render(_ size: ScreenSize, _ style: ScreenStyle) -> [ScreenLine] {
    let width = size.columns - 1
    let rowsMax = max(1, size.rows - SeveralScreen.spareRows)
    let head = [title(width, style), bar(width, style)]
    guard rowsMax >= head.count + 2 else { return Array(head.prefix(rowsMax)) }
    let (shown, others) = chosen(atMost: rowsMax - head.count - 1)
    var lines = head + ScreenTable(columns: columns(shown, style)).lines(shown, width: width) { $0.look }
    if let others { lines.append(ScreenLine(others, .dim)) }
    return lines
  }

  // MARK: The whole

  private func title(_ width: Int, _ style: ScreenStyle) -> ScreenLine {
    let done = rows.count { $0.stage == .done || $0.stage == .serving }
    let failed = rows.count { $0.stage == .failed }
    let peers = rows.filter { !$0.isOver }.reduce(into: Set<PeerID>()) { $0.formUnion($1.peers) }.count
    var right = ScreenLine(Format.count(peers, "peer"))
    if failed > 0 { right.add(", \(failed) failed", .red) }
    return .sides(ScreenLine("\(done) of \(rows.count) done" + files, .bold), right, columns: width, style)
  }

  /// The files of all downloads, if one of them is a folder. A download of a single file counts as one file.
  private var files: String {
    let counted = rows.filter { $0.stage != .failed && $0.length != nil }
    guard counted.contains(where: { $0.folder != nil }) else { return "" }
    let complete = counted.reduce(0) { sum, row in
      let isDone = row.stage == .done || row.stage == .serving
      return sum + (row.folder.map { isDone ? $0.totalFiles : $0.completeFiles } ?? (isDone ? 1 : 0))
    }
    return ", \(complete) of \(Format.count(counted.reduce(0) { $0 + ($1.folder?.totalFiles ?? 1) }, "file"))"
  }

  private func bar(_ width: Int, _ style: ScreenStyle) -> ScreenLine {
    // A failed download fetches nothing more.
    let counted = rows.filter { $0.stage != .failed }
    let length = counted.reduce(0) { $0 + ($1.length ?? 0) }
    let done = counted.reduce(0) { $0 + $1.done }
    let isPartial = counted.contains { $0.length == nil && !$0.isOver }
    let isOver = rows.allSatisfy(\.isOver)
    // If some lengths are unknown, the share cannot be computed from bytes alone. Shows the smaller of two estimates.
    let ofBytes = length == 0 ? 0 : Double(done) / Double(length)
    let ofCount = Double(rows.reduce(0) { $0 + $1.share }) / Double(max(1, rows.count))
    let share = isOver ? 1 : isPartial ? min(ofBytes, ofCount) : ofBytes
    let speed = rows.reduce(0) { $0 + ($1.isOver ? 0 : $1.bytesPerSecond) }
    return TransferBar(share: share, done: done, length: length, bytesPerSecond: speed, isPartial: isPartial)
      .line(width, style)
  }

  // MARK: The rows

  /// Returns the rows in their order. If there are too many, chooses running downloads first and finished ones last.
  /// The text counts the others.
  private func chosen(atMost rowsMax: Int) -> (rows: [DownloadRow], others: String?) {
    guard rows.count > rowsMax else { return (rows, nil) }
    let order = rows.indices.sorted { a, b in
      let (urgencyA, urgencyB) = (rows[a].urgency, rows[b].urgency)
      return urgencyA == urgencyB ? a < b : urgencyA > urgencyB
    }
    let room = max(0, rowsMax - 1)
    let others = order[room...].map { rows[$0] }
    return (order[..<room].sorted().map { rows[$0] }, "and \(others.count) more: \(SeveralScreen.counts(of: others))")
  }

  private static func counts(of rows: [DownloadRow]) -> String {
    let stages: [DownloadRow.Stage] = [.fetching, .looking, .failed, .waiting, .serving, .done]
    return stages.compactMap { stage in
      let found = rows.filter { $0.stage == stage }
      return found.first.map { "\(found.count) \($0.word)" }
    }.joined(separator: ", ")
  }

  private func columns(_ rows: [DownloadRow], _ style: ScreenStyle) -> [ScreenColumn<DownloadRow>] {
    let nameWidth = max(12, rows.map { DisplayWidth.of(Console.escaped($0.name)) }.max() ?? 0)
    func column(
      _ title: String, _ widths: ClosedRange<Int>, rank: Int, isRight: Bool = true,
      _ text: @escaping (DownloadRow) -> String
    ) -> ScreenColumn<DownloadRow> { .text(title, widths, rank: rank, isRight: isRight, style, text) }
    return [
      column("NAME", 12...nameWidth, rank: 0, isRight: false) { Console.escaped($0.name) },
      column("DONE", 5...5, rank: 1) { Format.share($0.share) },
      ScreenColumn(title: "", widths: 8...40, rank: 7) { row, width in
        .bar(row.share, columns: width, style, isFramed: false)
      },
      column("SIZE", 10...10, rank: 4) { $0.length.map(Format.size) ?? "-" },
      column("MiB/s", 6...6, rank: 3) {
        $0.isOver || $0.bytesPerSecond < 5_300 ? "-" : Format.megabytes($0.bytesPerSecond)
      },
      column("PEERS", 5...5, rank: 5) { $0.isOver || $0.peers.isEmpty ? "-" : "\($0.peers.count)" },
      column("LEFT", 8...8, rank: 6, SeveralScreen.timeLeft),
      column("STATE", 8...8, rank: 2, isRight: false) { $0.word },
    ]
  }

  private static func timeLeft(_ row: DownloadRow) -> String {
    guard !row.isOver, let length = row.length, length > row.done, row.bytesPerSecond >= 1 else { return "-" }
    return Format.time(seconds: Double(length - row.done) / row.bytesPerSecond)
  }
}
