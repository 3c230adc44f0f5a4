// An array for millions of rows.

/// An array in pieces, which grows without a copy. To grow, an array in one piece would need its old and new memory at
/// once.
struct Pieces<Element> {
  private static var shift: Int { 12 }
  private static var pieceCount: Int { 1 << shift }

  private var pieces: [[Element]] = []
  private(set) var count = 0

  subscript(index: Int) -> Element {
    get { pieces[index >> Pieces.shift][index & (Pieces.pieceCount - 1)] }
    _modify { yield &pieces[index >> Pieces.shift][index & (Pieces.pieceCount - 1)] }
  }

  mutating func append(_ element: Element) {
    if count >> Pieces.shift == pieces.count {
      var piece: [Element] = []
      piece.reserveCapacity(Pieces.pieceCount)
      pieces.append(piece)
    }
    pieces[count >> Pieces.shift].append(element)
    count += 1
  }
}

extension Pieces: Sendable where Element: Sendable {}
