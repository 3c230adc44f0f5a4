// The screen of a running `get`: the progress, and a row for each peer. Pure: makes lines from numbers.
import PeerNode
import Screen
import Transfer
import Wire

struct GetScreen {
  /// The name that peers gave.
  var name = ""
  var length: UInt64 = 0
  /// Bytes that were on the disk before.
  var resumedBytes: UInt64 = 0
  /// The wait for peers. Nil if the download does not wait.
  var wait: PeerWait?
  /// The address of the peer that was lost last, and why it was lost.
  var lastEnd: String?

  /// After this time without new data, the screen says what happens next.
  private static let quietTime = Duration.seconds(5)

  /// Rows of the terminal that keep earlier output visible.
  private static let spareRows = 3

  func render(_ progress: DownloadProgress, _ size: ScreenSize, _ style: ScreenStyle) -> [ScreenLine] {
    let width = size.columns - 1
    let rows = max(1, size.rows - GetScreen.spareRows)
    var head = [title(progress, width, style), bar(progress, width, style)]
    if let wait {
      head.append(GetScreen.line(wait, size, style))
    } else if let words = standstill(progress) {
      head.append(ScreenLine(DisplayWidth.cut(words, to: width, mark: style.mark), .yellow))
    }
    guard !progress.peers.isEmpty, rows >= head.count + 2 else { return Array(head.prefix(rows)) }
    let shown = PeerRow.chosen(from: progress.peers, atMost: rows - head.count - 1)
    let table = ScreenTable(columns: GetScreen.columns(shown.rows, style))
    var lines = head + table.lines(shown.rows, width: width) { $0.look }
    if let others = shown.others { lines.append(ScreenLine(others, .dim)) }
    return lines
  }

  /// Returns the line that says what the download waits for.
  static func line(_ wait: PeerWait, _ size: ScreenSize, _ style: ScreenStyle) -> ScreenLine {
    ScreenLine(DisplayWidth.cut(wait.words, to: size.columns - 1, mark: style.mark), .yellow)
  }

  /// Returns why no data comes, and what happens next. Nil if data comes or the download is complete.
  private func standstill(_ progress: DownloadProgress) -> String? {
    guard progress.finishedChunks < progress.totalChunks else { return nil }
    if progress.givesUpIn != nil {
      return "waiting for a peer that has the rest" + (lastEnd.map { "; \($0)" } ?? "")
    }
    guard let quiet = progress.quietFor, quiet >= GetScreen.quietTime else { return nil }
    return "no new data for \(Format.time(seconds: Format.seconds(quiet).rounded(.down))): requests are repeated after "
      + "--chunk-timeout, until --retries is used up"
  }

  // MARK: The file

  /// Returns the line with the file's name and the counts of peers.
  private func title(_ progress: DownloadProgress, _ width: Int, _ style: ScreenStyle) -> ScreenLine {
    var right = ScreenLine("")
    if let folder = progress.folder {
      right.add("\(folder.completeFiles) of \(Format.count(folder.totalFiles, "file")), ")
    }
    right.add(Format.count(progress.livePeers, "peer"))
    right.add(", \(Format.count(progress.workers, "worker"))")
    if progress.retries > 0 { right.add(", \(Format.count(progress.retries, "retry", "retries"))") }
    if progress.hedges > 0 { right.add(", \(Format.count(progress.hedges, "hedge"))", .yellow) }
    let banned = progress.peers.count { $0.activity == .banned }
    if banned > 0 { right.add(", \(banned) banned", .red) }
    if let time = progress.givesUpIn {
      right.add(", gives up in \(Format.time(seconds: Format.seconds(time).rounded(.up)))", .yellow)
    }
    return .sides(ScreenLine(Console.escaped(name), .bold), right, columns: width, style)
  }

  private func bar(_ progress: DownloadProgress, _ width: Int, _ style: ScreenStyle) -> ScreenLine {
    // If this is a folder, only a part of it may be wanted.
    let length = progress.folder?.totalBytes ?? length
    let done = min(length, resumedBytes + progress.bytes)
    // The last chunks may still be written when all bytes have come.
    let share = progress.finishedChunks == progress.totalChunks ? 1 : Double(done) / Double(max(1, length))
    return TransferBar(share: share, done: done, length: length, bytesPerSecond: progress.bytesPerSecond)
      .line(width, style)
  }

  // MARK: The peers

  private static func columns(_ rows: [PeerRow], _ style: ScreenStyle) -> [ScreenColumn<PeerRow>] {
    let most = rows.map(\.share).max() ?? 0
    let addressWidth = max(7, rows.map { $0.address.count }.max() ?? 0)
    func column(
      _ title: String, _ widths: ClosedRange<Int>, rank: Int, isRight: Bool = true,
      _ text: @escaping (PeerRow) -> String
    ) -> ScreenColumn<PeerRow> { .text(title, widths, rank: rank, isRight: isRight, style, text) }
    return [
      column(" ", 1...1, rank: 0, isRight: false) { $0.sign },
      column("PEER", 8...8, rank: 0, isRight: false) { $0.peer.stats.peer.short },
      column("ADDRESS", min(addressWidth, 21)...addressWidth, rank: 3, isRight: false) { $0.address }.growsFirst,
      column("SHARE", 5...5, rank: 4) { Format.share($0.share) },
      ScreenColumn(title: "", widths: 8...40, rank: 9) { row, width in
        .bar(most > 0 ? row.share / most : 0, columns: width, style, isFramed: false)
      },
      column("MiB/s", 6...6, rank: 1) { $0.speed },
      column("LATENCY", 7...7, rank: 5) { $0.latency },
      column("SCORE", 5...5, rank: 6) { Format.fixed($0.peer.stats.score, 0) },
      column("BYTES", 10...10, rank: 10) { $0.peer.stats.bytes == 0 ? "-" : Format.size($0.peer.stats.bytes) },
      column("CHUNKS", 6...6, rank: 11) { $0.count($0.peer.stats.chunks) },
      column("FAILED", 6...6, rank: 12) { $0.count($0.peer.stats.failures) },
      ScreenColumn(title: "LATE", widths: 4...4, rank: 7, isRight: true) { row, _ in
        ScreenLine(row.count(row.peer.stats.hedged), .yellow)
      },
      column("HELPED", 6...6, rank: 8) { $0.count($0.peer.stats.hedges) },
      ScreenColumn(title: "NOW", widths: 18...36, rank: 2) { row, width in
        ScreenLine(DisplayWidth.cut(row.words(width: width), to: width, mark: style.mark))
      },
    ]
  }
}
