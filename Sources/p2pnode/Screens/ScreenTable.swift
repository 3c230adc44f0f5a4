// A table of a screen: as many of its columns as there is room for, and what room is left for those that can use it.
import Screen

struct ScreenColumn<Row> {
  let title: String
  /// How wide it is at least, and at most where there is room.
  let widths: ClosedRange<Int>
  /// The columns of the lowest ranks are there first.
  let rank: Int
  var isRight = false
  /// Whether it gets the room that is left before others do.
  var isFirstToGrow = false
  /// Told how wide it is.
  let cell: (Row, Int) -> ScreenLine
}

extension ScreenColumn {
  /// The column, which gets the room that is left before others do.
  var growsFirst: ScreenColumn {
    var column = self
    column.isFirstToGrow = true
    return column
  }

  /// A column of texts, which are cut in the middle if they are wider than it.
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
  /// Columns up to this rank come before any grows.
  private static var neededRankMax: Int { 5 }

  let columns: [ScreenColumn<Row>]

  /// The titles, then a line a row, none wider than `width`.
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

  /// 0 for those that are left out. What is left goes to the columns that grow first, then to the
  /// first ranks, up to their most.
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
