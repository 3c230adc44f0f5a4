// The screen of `send`: each line fits, and at 60 columns nothing is lost that matters.
import Content
import Posix
import Screen
import Testing

@testable import PeerNode
@testable import Wire
@testable import p2pnode

struct SendScreenTests {
  private static let plain = ScreenStyle(hasColour: false, hasUnicode: true)

  @Test(arguments: [0, 1, 8, 60], ScreenTests.hostileNames)
  func `send's screen fits, whatever peers fetch`(count: Int, path: String) {
    let rows = (0..<count).map { i in
      SendScreen.Row(
        fetch: FetchWatch.Fetch(
          peer: PeerID(digest: Digest.ofBytes(UInt8(i))), address: Endpoint(ipv4: (192, 168, 200, 100), port: 49_800),
          content: FileID(digest: Digest.ofBytes(1)), byteCount: 1 << 40, sentByteCount: UInt64(i) << 34,
          duration: .seconds(99)),
        path: path, bytesPerSecond: i == 0 ? 0 : 1e6)
    }
    for columns in [20, 60, 80, 200] {
      let screen = SendScreen(name: path, rows: rows, bytesPerSecond: 1e9, uploadedBytes: 1 << 40)
      let size = ScreenSize(columns: columns, rows: 24)
      let lines = screen.render(size, SendScreenTests.plain).map {
        $0.rendered(columns: columns - 1, SendScreenTests.plain)
      }
      #expect(lines.count == (count == 0 ? 1 : min(2 + count, 21)))
      for line in lines {
        #expect(DisplayWidth.of(line) < columns, "\(line)")
        #expect(!line.unicodeScalars.contains(where: SuggestedName.isHarmful), "\(line)")
      }
      if count == 8, columns == 80 {
        #expect(lines[1].contains("DONE") && !lines[1].contains("FILE"), "\(lines)")
        #expect(lines[3].hasPrefix("01010101 192.168.200.100:49800  1.6%"), "\(lines)")
      }
    }
  }

  @Test func `at 60 columns send's screen has the whole name once, and of several files their names`() {
    func lines(_ paths: [String], name: String) -> [String] {
      let rows = paths.map { path in
        SendScreen.Row(
          fetch: FetchWatch.Fetch(
            peer: PeerID(digest: Digest.ofBytes(1)), address: Endpoint(ipv4: (192, 168, 200, 100), port: 49_800),
            content: FileID(digest: Digest.ofBytes(1)), byteCount: 1 << 30, sentByteCount: 1 << 29,
            duration: .seconds(99)),
          path: path, bytesPerSecond: 1_048_576)
      }
      return SendScreen(name: name, rows: rows, bytesPerSecond: 1e9, uploadedBytes: 1 << 40)
        .render(ScreenSize(columns: 60, rows: 24), SendScreenTests.plain)
        .map { $0.rendered(columns: 59, SendScreenTests.plain) }
    }
    let one = lines(["images/disk.img"], name: "images/disk.img")
    #expect(one[0].hasPrefix("sending images/disk.img  ") && one[0].hasSuffix("MiB/s   1024.0 GiB sent"), "\(one)")
    #expect(one[1].split(separator: " ") == ["PEER", "ADDRESS", "DONE", "MiB/s", "LEFT"], "\(one)")
    #expect(
      one[2].split(separator: " ") == ["01010101", "192.168.200.100:49800", "50.0%", "1.0", "8m", "32s"], "\(one)")
    let two = lines(["disk.img", "notes.pdf"], name: "2 files and folders")
    #expect(two[1].contains("ADDRESS") && two[1].contains("DONE") && two[1].contains("FILE"), "\(two)")
    #expect(two[2].hasSuffix(" disk.img") && two[3].hasSuffix(" notes.pdf"), "\(two)")
  }
}
