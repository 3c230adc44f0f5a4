// Remembers which name of a scan belongs to which entry of a listing.

/// The index of a name in a scan, for some entries of a listing. Takes four bytes for each entry of the listing.
struct EntryPlaces: Sendable {
  private static let none = UInt32.max

  private var places: [UInt32]

  /// Makes a value in which no entry has a place.
  init(entryCount: Int) { places = [UInt32](repeating: EntryPlaces.none, count: entryCount) }

  subscript(entry: Int) -> Int? {
    get { places[entry] == EntryPlaces.none ? nil : Int(places[entry]) }
    set { places[entry] = newValue.map { UInt32($0) } ?? EntryPlaces.none }
  }
}
