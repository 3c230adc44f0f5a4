// The screen of a `get` of several IDs: each line fits, and too many rows become counts.
import Content
import Screen
import Testing

@testable import Transfer
@testable import Wire
@testable import p2pnode

struct SeveralScreenTests {
  private static let plain = ScreenStyle(hasColour: false, hasUnicode: true)
  private static let stages: [DownloadRow.Stage] = [.fetching, .done, .failed, .looking, .serving, .waiting]

  private static func rows(_ count: Int, name: String = "disk.img") -> [DownloadRow] {
    (0..<count).map { i in
      var row = DownloadRow(name: name, length: i % 6 == 3 ? nil : 1 << 40)
      row.stage = stages[i % stages.count]
      row.doneBytes = 1 << 39
      row.bytesPerSecond = 1.2e9
      row.peers = [PeerID(digest: Digest([UInt8](repeating: UInt8(i % 3), count: 32))!)]
      return row
    }
  }

  private static func lines(
    _ rows: [DownloadRow], columns: Int = 80, height: Int = 24, _ style: ScreenStyle = plain
  ) -> [String] {
    SeveralScreen(rows: rows).render(ScreenSize(columns: columns, rows: height), style)
      .map { $0.rendered(columns: columns - 1, style) }
  }

  @Test(arguments: [1, 6, 100], [20, 40, 60, 80, 81, 132, 200, 400])
  func `the screen fits terminals of any width`(count: Int, columns: Int) {
    for style in [SeveralScreenTests.plain, ScreenStyle(hasColour: true, hasUnicode: false)] {
      let lines = SeveralScreenTests.lines(SeveralScreenTests.rows(count), columns: columns, style)
      #expect(lines.count == min(3 + count, 21), "\(lines.joined(separator: "\n"))")
      for line in lines { #expect(DisplayWidth.ofStyled(line) < columns, "\(line)") }
    }
  }

  @Test(arguments: [1, 6, 100], 1...40) func `the screen fits terminals of any height`(count: Int, height: Int) {
    #expect(SeveralScreenTests.lines(SeveralScreenTests.rows(count), height: height).count <= max(1, height - 3))
  }

  @Test(arguments: ScreenTests.hostileNames) func `no name moves the cursor or makes a line wrap`(name: String) {
    for columns in [30, 60, 80, 200] {
      for line in SeveralScreenTests.lines(SeveralScreenTests.rows(6, name: name), columns: columns) {
        #expect(DisplayWidth.of(line) < columns)
        #expect(!line.unicodeScalars.contains(where: SuggestedName.isHarmful), "\(line)")
      }
    }
  }

  @Test(arguments: [60, 80, 200]) func `a row has name, share, speed and state`(columns: Int) {
    let lines = SeveralScreenTests.lines(SeveralScreenTests.rows(6), columns: columns)
    for word in ["NAME", "DONE", "SIZE", "MiB/s", "PEERS", "STATE"] { #expect(lines[2].contains(word), "\(lines[2])") }
    for word in ["disk.img", "50.0%", "1144.4", "fetching"] { #expect(lines[3].contains(word), "\(lines[3])") }
    #expect(lines[4].contains("100%") && lines[4].contains("done"), "\(lines[4])")
  }

  @Test func `the total counts finished downloads and leaves out failed ones`() {
    var rows = Array(SeveralScreenTests.rows(3))
    rows.append(DownloadRow(name: "next", length: 1 << 40))
    let lines = SeveralScreenTests.lines(rows)
    #expect(lines[0].hasPrefix("1 of 4 done"), "\(lines[0])")
    #expect(lines[0].hasSuffix("1 peer, 1 failed"), "\(lines[0])")
    // Half of the first, all of the second, nothing of the fourth.
    #expect(lines[1].hasPrefix("50.0% ") && lines[1].contains("1536.0 GiB of 3072.0 GiB"), "\(lines[1])")
    #expect(lines[1].contains("22m 54s left"), "\(lines[1])")
  }

  @Test func `if a folder is among the downloads, all files are counted`() {
    var rows = SeveralScreenTests.rows(3)
    rows[0].folder = FolderProgress(completeFiles: 12, totalFiles: 340, totalBytes: 1 << 40)
    // Twelve files of the folder in progress, and one finished file. The failed download does not count.
    let line = SeveralScreenTests.lines(rows)[0]
    #expect(line.hasPrefix("1 of 3 done, 13 of 341 files "), "\(line)")
  }

  @Test func `while a length is unknown, the total says so`() {
    let line = SeveralScreenTests.lines(
      [SeveralScreenTests.rows(1)[0], DownloadRow(name: "unknown", length: nil)])[1]
    // A quarter in all: half of one of two downloads.
    #expect(line.hasPrefix("25.0% ") && line.contains("512.0 GiB of 1024.0 GiB+"), "\(line)")
    #expect(line.contains(">7m 38s left"), "\(line)")
  }

  @Test func `if downloads exceed the rows, running ones are shown and the others counted`() {
    let lines = SeveralScreenTests.lines(SeveralScreenTests.rows(60))
    // Seventeen rows: ten that are fetching, and seven of the ten that are looking.
    #expect(lines.count == 21)
    #expect(lines.count { $0.hasSuffix("fetching") } == 10)
    #expect(lines.count { $0.hasSuffix("looking") } == 7)
    #expect(
      lines.last == "and 43 more: 3 looking, 10 failed, 10 waiting, 10 serving, 10 done", "\(lines.last ?? "")")
  }
}
