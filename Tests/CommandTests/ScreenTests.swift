// The screens of `get` and `serve`: each line fits, whatever the peers and names are.
import Content
import Posix
import Screen
import Testing

@testable import PeerNode
@testable import Transfer
@testable import Wire
@testable import p2pnode

struct ScreenTests {
  private static let plain = ScreenStyle(hasColour: false, hasUnicode: true)
  private static let coloured = ScreenStyle(hasColour: true, hasUnicode: true)

  /// Names with terminal escapes, and names that are wider than they are long.
  static let hostileNames = [
    "\u{1B}[2J\u{1B}[H\u{1B}]0;owned\u{7}", "line\nbreak\rreturn\ttab", "\u{202E}gpj.exe\u{2066}",
    String(repeating: "映画", count: 100), String(repeating: "e\u{301}\u{327}", count: 200), "👩‍👩‍👧‍👦🏳️‍🌈☂️.img",
    String(repeating: "x", count: 255), "\u{9B}31mred", "",
  ]

  /// Some peers: one has lied, one is slow, and one has an IPv6 address.
  private static func peers(_ count: Int) -> [PeerProgress] {
    (0..<count).map(peer)
  }

  private static func peer(_ i: Int) -> PeerProgress {
    let (isLiar, isSlow) = (i == 2, i == 4)
    var ip: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 168, 200, UInt8(100 + i)]
    if i == 1 { ip = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0xAB, count: 12) }
    let rate: Double = isSlow ? 50_000 : 10_000_000
    let stats = PeerDownloadStats(
      peer: PeerID(digest: Digest.ofBytes(UInt8(i))), address: i == 3 ? nil : PeerAddress(ip: ip, port: 49_800),
      chunks: 100 + i, bytes: isSlow ? 1 << 20 : UInt64(100 + i) << 20, failures: isLiar ? 1 : 0, hedges: i % 3,
      hedged: isSlow ? 4 : 0, isBanned: isLiar, bytesPerSecond: rate, times: AnswerTimes(), score: 200)
    let activity: PeerProgress.Activity =
      switch i {
      case 2: .banned
      case 5: .busy
      case 6: .gone
      default: .sending(ChunkIndex(1_048_000), requests: 5, isHedge: i == 7)
      }
    return PeerProgress(stats: stats, bytesPerSecond: isLiar ? 0 : rate, activity: activity)
  }

  private static func progress(_ count: Int) -> DownloadProgress {
    DownloadProgress(
      finishedChunks: 300_000, totalChunks: 1_048_576, bytes: 300_000 << 20, bytesPerSecond: 1.2e9, livePeers: count,
      workers: min(count, 8), retries: 3, hedges: 4, peers: peers(count))
  }

  private static func lines(
    _ count: Int, name: String = "disk.img", columns: Int, rows: Int = 24, _ style: ScreenStyle = plain
  ) -> [String] {
    GetScreen(name: name, length: 1 << 40).render(
      progress(count), ScreenSize(columns: columns, rows: rows), style
    ).map { $0.rendered(columns: columns - 1, style) }
  }

  @Test(arguments: [1, 8, 60], [20, 40, 80, 81, 100, 132, 200, 400])
  func `get's screen fits terminals of any width`(count: Int, columns: Int) {
    for style in [ScreenTests.plain, ScreenTests.coloured, ScreenStyle(hasColour: false, hasUnicode: false)] {
      let lines = ScreenTests.lines(count, columns: columns, style)
      #expect(lines.count == min(3 + count, 21), "\(lines.joined(separator: "\n"))")
      for line in lines { #expect(DisplayWidth.ofStyled(line) < columns, "\(line)") }
    }
  }

  @Test(arguments: [1, 8, 60], 1...40) func `get's screen fits terminals of any height`(count: Int, rows: Int) {
    let lines = ScreenTests.lines(count, columns: 80, rows: rows)
    #expect(lines.count <= max(1, rows - 3))
  }

  @Test(arguments: hostileNames) func `no name moves the cursor or makes a line wrap`(name: String) {
    for columns in [30, 80, 200] {
      for line in ScreenTests.lines(8, name: name, columns: columns) {
        #expect(DisplayWidth.of(line) < columns)
        #expect(!line.unicodeScalars.contains(where: SuggestedName.isHarmful), "\(line)")
      }
    }
  }

  @Test func `without colour there is no escape sequence, and with colour there are only styles`() {
    for line in ScreenTests.lines(8, columns: 80, ScreenTests.plain) { #expect(!line.contains("\u{1B}")) }
    let coloured = ScreenTests.lines(8, columns: 80, ScreenTests.coloured)
    #expect(coloured.contains { $0.contains("\u{1B}[31m") })
    for (line, plain) in zip(coloured, ScreenTests.lines(8, columns: 80, ScreenTests.plain)) {
      #expect(line.replacing(#/\u{1B}\[[0-9]+m/#, with: "") == plain)
    }
  }

  @Test(arguments: [8, 60], [80, 200])
  func `the screen marks a liar and a straggler`(count: Int, columns: Int) throws {
    let lines = ScreenTests.lines(count, columns: columns, ScreenTests.coloured)
    let liar = try #require(lines.first { $0.contains("banned: ") })
    #expect(liar.hasPrefix("\u{1B}[31mx"), "\(liar)")
    let slow = try #require(lines.first { $0.contains("\u{1B}[33m!") })
    #expect(slow.contains("0.05"), "\(slow)")
    #expect(lines.count { $0.contains("\u{1B}[33m!") } == 1)
    #expect(lines[0].contains("1 banned"))
  }

  @Test func `a source that many share is not a straggler while it sends as much as others`() {
    let peers = ScreenTests.peers(4).enumerated().map { i, peer in
      PeerProgress(
        stats: PeerDownloadStats(
          peer: peer.stats.peer, address: peer.stats.address, chunks: 10, bytes: 10 << 20, failures: 0, hedges: 0,
          hedged: 1, isBanned: false, bytesPerSecond: i == 0 ? 1_000_000 : 30_000_000, times: AnswerTimes(), score: 200),
        bytesPerSecond: 1_000_000, activity: .idle)
    }
    let progress = DownloadProgress(
      finishedChunks: 40, totalChunks: 100, bytes: 40 << 20, bytesPerSecond: 4e6, livePeers: 4, workers: 4, retries: 0,
      hedges: 4, peers: peers)
    let lines = GetScreen(name: "images", length: 1 << 40).render(
      progress, ScreenSize(columns: 100, rows: 24), ScreenTests.plain
    ).map { $0.rendered(columns: 99, ScreenTests.plain) }
    #expect(!lines.contains { $0.hasPrefix("!") }, "\(lines)")
  }

  @Test func `an address is printed in full if there is room for it`() {
    let address = "[2001:db8:abab:abab:abab:abab:abab:abab]:49800"
    #expect(!ScreenTests.lines(8, columns: 60).contains { $0.contains(address) })
    #expect(ScreenTests.lines(8, columns: 130).contains { $0.contains(address) })
    #expect(ScreenTests.lines(8, columns: 80).contains { $0.contains("192.168.200.100:49800") })
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (951_782_399_999_999_999, "2000-02-28T23:59:59.999Z"),
      (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"), (1_709_251_199_123_000_000, "2024-02-29T23:59:59.123Z"),
      (1_735_689_599_000_000_000, "2024-12-31T23:59:59.000Z"), (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
    ] as [(Int64, String)])
  func `a time is written as in RFC 3339`(nanoseconds: Int64, text: String) {
    #expect(Format.utc(nanoseconds: nanoseconds) == text)
  }

  @Test func `a download that lacks one chunk is not at 100%, and shows what it waits for`() {
    var progress = ScreenTests.progress(1)
    progress.givesUpIn = .seconds(27)
    var screen = GetScreen(name: "folder", length: (300_000 << 20) + 9)
    screen.lastEnd = "192.0.2.1:9800: it no longer offers the file: it was changed there"
    func lines(_ progress: DownloadProgress) -> [String] {
      screen.render(progress, ScreenSize(columns: 120, rows: 24), ScreenTests.plain).map {
        $0.rendered(columns: 119, ScreenTests.plain)
      }
    }
    let waiting = lines(progress)
    #expect(waiting[1].hasPrefix("99.9%"), "\(waiting)")
    #expect(
      waiting[2]
        == "waiting for a peer that has the rest; 192.0.2.1:9800: it no longer offers the file: it was changed there")
    (progress.givesUpIn, progress.quietFor) = (nil, .milliseconds(42_900))
    #expect(lines(progress)[2].hasPrefix("no new data for 42s: requests are repeated"))
    progress.quietFor = .seconds(4)
    #expect(lines(progress)[2].contains("ADDRESS"))
  }

  @Test(arguments: [80, 200]) func `the screen of a folder counts its files and its wanted bytes`(columns: Int) {
    var progress = ScreenTests.progress(8)
    progress.folder = FolderProgress(completeFiles: 12, totalFiles: 340, totalBytes: 600_000 << 20)
    let lines = GetScreen(name: "images", length: 1 << 40).render(
      progress, ScreenSize(columns: columns, rows: 24), ScreenTests.plain
    ).map { $0.rendered(columns: columns - 1, ScreenTests.plain) }
    #expect(lines[0].hasPrefix("images ") && lines[0].contains(" 12 of 340 files, 8 peers"), "\(lines[0])")
    #expect(lines[1].hasPrefix("50.0% ") && lines[1].contains("293.0 GiB of 585.9 GiB"), "\(lines[1])")
  }

  @Test func `peers beyond the rows are summed up`() {
    let lines = ScreenTests.lines(60, columns: 80, rows: 24)
    #expect(lines.count == 21)
    // There are seventeen rows. The other peers bring 9.54 MiB/s each, except those that are gone or wait.
    #expect(lines.last?.contains("and 43 more: ") == true, "\(lines.last ?? "")")
  }

  @Test func `a wide terminal shows more columns`() {
    #expect(!ScreenTests.lines(8, columns: 80)[2].contains("CHUNKS"))
    let titles = ScreenTests.lines(8, columns: 200)[2]
    for title in [
      "PEER", "ADDRESS", "SHARE", "MiB/s", "LATENCY", "SCORE", "BYTES", "CHUNKS", "FAILED", "LATE", "HELPED",
    ] {
      #expect(titles.contains(title))
    }
  }

  // MARK: serve

  private static func status(_ count: Int, path: String) -> ServerStatus {
    var connections: [ServerStatus.Connection] = []
    for i in 0..<count {
      let address = Endpoint(ipv4: (192, 168, 200, UInt8(100 + i)), port: 49_800)
      let duration: Duration = .seconds(Int64(1) << Int64(i % 30))
      connections.append(
        ServerStatus.Connection(
          id: UInt64(i), peer: PeerID(digest: Digest.ofBytes(UInt8(i))), address: address, duration: duration,
          uploadedBytes: UInt64(i) << 30, openPaths: [path, "other"], sendingPath: i % 2 == 0 ? path : nil))
    }
    return ServerStatus(
      connections: connections, connectionsTotal: 100, turnedAwayTotal: 3, uploadedBytes: 1 << 40, files: 12,
      fileBytes: 1 << 41, isScanning: false, uptime: .seconds(99))
  }

  @Test(arguments: [0, 1, 8, 60], hostileNames)
  func `serve's screen fits, whatever peers fetch`(count: Int, path: String) {
    for columns in [20, 40, 80, 200] {
      let screen = ServeScreen(
        folder: path, status: ScreenTests.status(count, path: path), bytesPerSecond: 1e9,
        speeds: [0: 1e6, 1: 2e6, 59: 3e9])
      let size = ScreenSize(columns: columns, rows: 24)
      let lines = screen.render(size, ScreenTests.plain).map { $0.rendered(columns: columns - 1, ScreenTests.plain) }
      #expect(lines.count == (count == 0 ? 2 : min(3 + count, 21)))
      for line in lines {
        #expect(DisplayWidth.of(line) < columns, "\(line)")
        #expect(!line.unicodeScalars.contains(where: SuggestedName.isHarmful), "\(line)")
      }
    }
  }

  @Test func `a rate is that of the last seconds`() {
    var window = RateWindow()
    window.add(500, at: 1_000_000_000)
    #expect(window.bytesPerSecond == 0)
    for second in 2...20 { window.add(UInt64(500 + 100 * second), at: Int64(second) * 1_000_000_000) }
    #expect(window.bytesPerSecond == 100)
  }

  // MARK: Widths

  @Test func `a width is at least the width on a terminal`() {
    for (text, columns) in [
      ("abc", 3), ("映画", 4), ("e\u{301}", 1), ("한글", 4), ("ﾊﾝｶｸ", 4), ("Ａ", 2), ("👍", 2), ("☂\u{FE0F}", 2), ("", 0),
      ("\u{600}12", 3), ("\u{8E2}", 1), ("\u{200B}", 0),
    ] {
      #expect(DisplayWidth.of(text) == columns, "\(text)")
    }
    #expect(DisplayWidth.ofStyled("\u{1B}[31mab\u{1B}[0m") == 2)
  }

  @Test func `a cut text is never wider than its limit`() {
    for columns in 0...12 {
      for text in ["a long name.img", "映画映画映画映画", "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}"] {
        #expect(DisplayWidth.of(DisplayWidth.cut(text, to: columns, mark: "…")) <= columns)
        #expect(DisplayWidth.of(DisplayWidth.cutMiddle(text, to: columns, mark: "…")) <= columns)
      }
    }
    #expect(DisplayWidth.cutMiddle("folder/below/name.img", to: 12, mark: "…") == "fol…name.img")
  }
}

extension Digest {
  static func ofBytes(_ byte: UInt8) -> Digest { Digest([UInt8](repeating: byte, count: 32))! }
}
