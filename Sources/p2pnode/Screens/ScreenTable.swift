// A table on a screen: shows as many columns as fit, and gives the remaining width to columns that can use it.
import Screen

struct ScreenColumn<Row> {
  let title: String
  /// The smallest and the largest width.
  let widths: ClosedRange<Int>
  /// Columns with lower ranks are placed first.
  let rank: Int
  var isRight = false
  /// Whether it gets the remaining width before other columns.
  var isFirstToGrow = false
  /// Makes the cell of a row. The number is the column's width.
  let cell: (Row, Int) -> ScreenLine
}

extension ScreenColumn {
  /// The same column, but it gets the remaining width before other columns.
  var growsFirst: ScreenColumn {
    var column = self
    column.isFirstToGrow = true
    return column
  }

  /// Makes a column of texts. Texts that are too wide are cut in the middle.
  static func text(
    _ title: String, _ widths: ClosedRange<Int>, rank: Int, isRight: Bool, _ style: ScreenStyle,
    _ text: @escaping (Row) -> String
  ) -> ScreenColumn {
    ScreenColumn(title: title, widths: widths, rank: rank, isRight: isRight) { row, width in
      ScreenLine(DisplayWidth.cutMiddle(text(row), to: width, mark: style.mark))
    }
  }
}

struct ScreenTable<Row> {
  static var gap: Int { 1 }
  /// Columns up to this rank are placed before any column grows.
  private static var neededRankMax: Int { 5 }

  let columns: [ScreenColumn<Row>]

  /// Returns the titles and a line for each row. No line is wider than `width`.
  func lines(_ rows: [Row], width: Int, look: (Row) -> Look?) -> [ScreenLine] {
    let widths = widths(in: width)
    let present = columns.indices.filter { widths[$0] > 0 }
    func joined(_ cell: (Int) -> ScreenLine) -> ScreenLine {
      var line = ScreenLine()
      for i in present {
        if i != present.first { line.add(String(repeating: " ", count: ScreenTable.gap)) }
        let cell = cell(i)
        let space = String(repeating: " ", count: max(0, widths[i] - cell.width))
        if columns[i].isRight { line.add(space) }
        line.add(cell)
        if !columns[i].isRight && i != present.last { line.add(space) }
      }
      return line
    }
    let titles = joined { ScreenLine(columns[$0].title) }.all(.dim)
    return [titles]
      + rows.map { row in
        let line = joined { columns[$0].cell(row, widths[$0]) }
        return look(row).map(line.all) ?? line
      }
  }

  /// Returns the width of each column, 0 for columns that are left out. The remaining width goes to the columns that
  /// grow first, then to the lowest ranks, up to their largest width.
  private func widths(in width: Int) -> [Int] {
    var widths = columns.map { _ in 0 }
    var left = width + ScreenTable.gap
    let order = columns.indices.sorted { columns[$0].rank < columns[$1].rank }
    func place(_ indices: some Sequence<Int>) {
      for i in indices {
        let needed = columns[i].widths.lowerBound + ScreenTable.gap
        guard needed <= left else { break }
        widths[i] = columns[i].widths.lowerBound
        left -= needed
      }
    }
    func grow(_ indices: some Sequence<Int>) {
      for i in indices where widths[i] > 0 {
        let more = min(left, columns[i].widths.upperBound - widths[i])
        widths[i] += more
        left -= more
      }
    }
    place(order.filter { columns[$0].rank <= ScreenTable.neededRankMax })
    grow(order.filter { columns[$0].isFirstToGrow })
    place(order.filter { columns[$0].rank > ScreenTable.neededRankMax })
    grow(order)
    return widths
  }
}
