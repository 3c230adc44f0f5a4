// The region at the bottom of a terminal, on terminals whose size changes meanwhile.
import Testing

@testable import p2pnode

struct ScreenRegionTests {
  private var terminal = VirtualTerminal(columns: 40, height: 10)
  private var region = ScreenRegion()

  private var size: ScreenSize { ScreenSize(columns: terminal.columns, rows: terminal.height) }

  private mutating func draw(_ lines: [String]) { terminal.write(region.draw(lines, size)) }

  private static func lines(_ count: Int, _ text: String, width: Int = 39) -> [String] {
    (1...count).map { String("\(text) \($0) ".prefix(width)) + String(repeating: ".", count: width - 10) }
  }

  @Test mutating func `lines replace the previous lines of the region, below the text above it`() {
    terminal.write("$ p2pnode get\n")
    draw(["one", "two", "three"])
    #expect(terminal.text == ["$ p2pnode get", "one", "two", "three"])
    draw(["one", "2", "three"])
    #expect(terminal.text == ["$ p2pnode get", "one", "2", "three"])
    draw(["1"])
    #expect(terminal.text == ["$ p2pnode get", "1"])
    draw(["1", "\u{1B}[31mtwo\u{1B}[0m"])
    #expect(terminal.text == ["$ p2pnode get", "1", "two"])
  }

  @Test mutating func `unchanged lines are not written again`() {
    draw(["one", "two"])
    #expect(region.draw(["one", "two"], size) == "")
    #expect(!region.draw(["one", "2"], size).contains("one"))
  }

  @Test mutating func `erasing the region leaves nothing behind`() {
    terminal.write("$ p2pnode get\n")
    draw(["one", "two"])
    terminal.write(region.erase(size) + "a line that stays\n")
    draw(["one", "two"])
    terminal.write(region.erase(size) + "done\n")
    #expect(terminal.text == ["$ p2pnode get", "a line that stays", "done"])
    #expect(region.erase(size) == "")
  }

  @Test(arguments: [(20, 10), (13, 10), (80, 10), (40, 24), (40, 6), (20, 5), (80, 5), (21, 30)])
  func `a terminal that changes its width shows the region once`(columns: Int, height: Int) {
    var terminal = VirtualTerminal(columns: 40, height: 10)
    var region = ScreenRegion()
    terminal.write("$ p2pnode get\n")
    terminal.write(region.draw(ScreenRegionTests.lines(4, "old", width: 25), ScreenSize(columns: 40, rows: 10)))
    terminal.resize(columns: columns, height: height)
    let size = ScreenSize(columns: columns, rows: height)
    let new = ScreenRegionTests.lines(2, "new", width: 12)
    terminal.write(region.draw(new, size))
    #expect(terminal.text.suffix(2) == new[...])
    #expect(!terminal.screen.contains { $0.hasPrefix("old") || $0.hasPrefix(".") }, "\(terminal.text)")
  }

  @Test mutating func `a terminal that becomes lower and high again shows the region once`() {
    terminal.write("$ p2pnode get\n")
    draw(ScreenRegionTests.lines(7, "old", width: 20))
    terminal.resize(columns: 40, height: 4)
    draw(["new"])
    terminal.resize(columns: 40, height: 12)
    draw(["newer"])
    #expect(terminal.text == ["$ p2pnode get", "newer"])
  }

  @Test mutating func `the region never climbs above the terminal's first row`() {
    draw(ScreenRegionTests.lines(50, "line", width: 20))
    #expect(terminal.text.count == 9)
    draw(["one"])
    #expect(terminal.text == ["one"])
  }

  @Test mutating func `after other output below it the region starts there anew`() {
    draw(["one", "two"])
    terminal.write("[1]+  Stopped\n$ fg\n")
    region.forget()
    draw(["1", "2"])
    #expect(terminal.text == ["one", "two", "[1]+  Stopped", "$ fg", "1", "2"])
  }
}
