// The progress of hashing, and which finished chunks get a line.
import Screen
import Testing

@testable import Storage
@testable import p2pnode

struct HashClockTests {
  private static let second: Int64 = 1_000_000_000

  private static func progress(_ bytes: UInt64) -> HashProgress {
    HashProgress(bytesDone: bytes, bytesTotal: 100 << 20, filesDone: 0, filesTotal: 1)
  }

  @Test func `the time left follows from the mean speed once it is known`() {
    var clock = HashClock.ofLog
    #expect(clock.report(Self.progress(10 << 20), at: 0).secondsLeft == nil)
    #expect(clock.report(Self.progress(15 << 20), at: Self.second / 2).secondsLeft == nil)
    // 20 MiB in 2 s, so 70 MiB take 7 s.
    let report = clock.report(Self.progress(30 << 20), at: 2 * Self.second)
    #expect(report.secondsLeft == 7)
    #expect(report.words == "30.0 MiB of 100.0 MiB (30.0%), 7s left")
  }

  @Test func `a log gets a line after 5 s and then every 10 s`() {
    var clock = HashClock.ofLog
    let due = (0..<30).filter { clock.report(Self.progress(UInt64($0)), at: Int64($0) * Self.second).isDue }
    #expect(due == [5, 15, 25])
  }

  @Test func `a program gets an event at once and then two a second`() {
    var clock = HashClock.ofProgram
    let due = (0..<20).filter { clock.report(Self.progress(UInt64($0)), at: Int64($0) * Self.second / 10).isDue }
    #expect(due == [0, 5, 10, 15])
  }

  @Test func `late progress never lowers the reported bytes`() {
    var clock = HashClock.ofLog
    _ = clock.report(Self.progress(100 << 20), at: 0)
    #expect(clock.report(Self.progress(99 << 20), at: 1).progress.bytesDone == 100 << 20)
  }

  @Test func `the screen's line has the time left if there is room`() {
    var clock = HashClock.ofLog
    _ = clock.report(Self.progress(0), at: 0)
    let report = clock.report(Self.progress(50 << 20), at: 5 * Self.second)
    let style = ScreenStyle(hasColour: false, hasUnicode: true)
    let wide = HashScreen.line(report, ScreenSize(columns: 100, rows: 24), style).rendered(columns: 99, style)
    #expect(wide.hasPrefix("hashing 0 of 1 file") && wide.hasSuffix("5s left"), "\(wide)")
    for columns in [20, 40, 60, 80, 200] {
      let line = HashScreen.line(report, name: "disk.img", ScreenSize(columns: columns, rows: 24), style)
      #expect(line.width < columns || columns < 60, "\(columns)")
    }
  }

  @Test(arguments: [1, 2, 99, 100, 101, 199, 1_000, 1_048_576])
  func `a log has at most a hundred lines of chunks and always the last one`(total: Int) {
    let shown = (1...total).filter { ChunkLines.isShown($0, of: total) }
    #expect(shown.count == min(total, 100))
    #expect(shown.last == total)
  }
}
