// Which name of a scan belongs to which entry of a listing.

/// For some entries of a listing, the place of a name in a scan. Takes four bytes for each entry of the listing.
struct EntryPlaces: Sendable {
  private static let none = UInt32.max

  private var places: [UInt32]

  /// No entry has a place.
  init(entryCount: Int) { places = [UInt32](repeating: EntryPlaces.none, count: entryCount) }

  subscript(entry: Int) -> Int? {
    get { places[entry] == EntryPlaces.none ? nil : Int(places[entry]) }
    set { places[entry] = newValue.map { UInt32($0) } ?? EntryPlaces.none }
  }
}
