// Stores the names of millions of files without an object for each.

/// Names in large blocks of memory. Each name follows two bytes with its length and starts at a multiple of four bytes.
/// The room of a removed name is used again for a name of the same size in units.
struct NameArena {
  private static let unit = 4
  /// Bytes of a block. A name must be shorter.
  private static let pieceBytes = 1 << 16
  private static let unitsPerPiece = pieceBytes / unit
  private static let none = UInt32.max

  private var pieces: [[UInt8]] = []
  /// The units used in the last block.
  private var usedUnits = NameArena.unitsPerPiece
  /// For each size in units, the place freed last. The first four bytes of a free place point to the next free one.
  private var free: [Int: UInt32] = [:]

  /// Adds a name. Returns its place.
  mutating func add(_ name: some Collection<UInt8>) -> UInt32 {
    let count = name.count
    let place = take(NameArena.units(of: count))
    let (piece, start) = NameArena.position(place)
    pieces[piece][start] = UInt8(count >> 8)
    pieces[piece][start + 1] = UInt8(count & 0xFF)
    var next = start + 2
    for byte in name {
      pieces[piece][next] = byte
      next += 1
    }
    return place
  }

  mutating func remove(_ place: UInt32) {
    let units = NameArena.units(of: self[place].count)
    let (piece, start) = NameArena.position(place)
    let next = free[units] ?? NameArena.none
    for i in 0..<4 { pieces[piece][start + i] = UInt8(truncatingIfNeeded: next >> UInt32(24 - 8 * i)) }
    free[units] = place
  }

  /// The name at a place.
  subscript(place: UInt32) -> ArraySlice<UInt8> {
    let (piece, start) = NameArena.position(place)
    let count = Int(pieces[piece][start]) << 8 | Int(pieces[piece][start + 1])
    return pieces[piece][start + 2..<start + 2 + count]
  }

  private mutating func take(_ units: Int) -> UInt32 {
    if let place = free[units] {
      let (piece, start) = NameArena.position(place)
      let next = pieces[piece][start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      free[units] = next == NameArena.none ? nil : next
      return place
    }
    precondition(units <= NameArena.unitsPerPiece, "a name fits a piece")
    if usedUnits + units > NameArena.unitsPerPiece {
      pieces.append([UInt8](repeating: 0, count: NameArena.pieceBytes))
      usedUnits = 0
    }
    defer { usedUnits += units }
    return UInt32((pieces.count - 1) * NameArena.unitsPerPiece + usedUnits)
  }

  private static func units(of count: Int) -> Int { (2 + count + unit - 1) / unit }

  private static func position(_ place: UInt32) -> (piece: Int, start: Int) {
    (Int(place) / unitsPerPiece, Int(place) % unitsPerPiece * unit)
  }
}
