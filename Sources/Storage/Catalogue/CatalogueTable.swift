// The index of a catalogue: entries by path, by content and by bucket. Adding and removing one costs the same however many
// entries have the same bytes.
import Content

/// What a catalogue holds. Two paths with the same bytes are two entries; the one that came first serves their fileID.
struct CatalogueTable {
  /// An entry, and its place among those of the same bytes.
  private struct Place {
    let entry: CatalogueEntry
    var index: Int
  }

  /// Entries of the same bytes, in the order in which they came. A removed entry leaves a gap, so that the others keep
  /// their places; gaps are closed when they are the greater part, so that each is paid for once.
  private struct Equals {
    var entries: [CatalogueEntry?] = []
    var count = 0
    /// No entry is before this place.
    var head = 0

    var first: CatalogueEntry { entries[head]! }

    mutating func append(_ entry: CatalogueEntry) -> Int {
      entries.append(entry)
      count += 1
      return entries.count - 1
    }

    mutating func remove(at index: Int) {
      entries[index] = nil
      count -= 1
      while head < entries.count, entries[head] == nil { head += 1 }
    }

    var isMostlyGaps: Bool { entries.count > 2 * count + 8 }
  }

  private var places: [String: Place] = [:]
  private var equals: [FileContent: Equals] = [:]
  private var contents: [UInt16: [FileContent]] = [:]
  /// Grows whenever a content comes or goes.
  private(set) var changeCount: UInt64 = 0
  mutating func noteChange() { changeCount += 1 }
  /// Bytes of all entries.
  private(set) var bytes: UInt64 = 0

  var count: Int { places.count }
  /// In no order.
  var entries: some Sequence<CatalogueEntry> { places.values.lazy.map(\.entry) }

  func entry(at path: String) -> CatalogueEntry? { places[path]?.entry }

  /// The entry that serves a content.
  func entry(of content: FileContent) -> CatalogueEntry? { equals[content]?.first }

  /// The entries that serve a fileID of this bucket, one a fileID.
  func candidates(bucket: UInt16) -> [CatalogueEntry] { (contents[bucket] ?? []).compactMap { entry(of: $0) } }

  /// Adds an entry, in the place of an older one of the same path, which it returns. `bucketOf` is called for both.
  mutating func add(_ entry: CatalogueEntry, bucketOf: (FileID) -> UInt16) -> CatalogueEntry? {
    let old = self.entry(at: entry.path)
    if let old { remove(old, bucket: bucketOf(old.fileID)) }
    if equals[entry.content] == nil {
      contents[bucketOf(entry.fileID), default: []].append(entry.content)
      changeCount += 1
    }
    let index = equals[entry.content, default: Equals()].append(entry)
    places[entry.path] = Place(entry: entry, index: index)
    bytes += entry.length
    return old
  }

  /// Removes an entry; false if it is not the entry of its path.
  @discardableResult mutating func remove(_ entry: CatalogueEntry, bucket: UInt16) -> Bool {
    guard let place = places[entry.path], place.entry === entry else { return false }
    places[entry.path] = nil
    bytes -= entry.length
    let content = entry.content
    equals[content]!.remove(at: place.index)
    if equals[content]!.count == 0 {
      equals[content] = nil
      changeCount += 1
      contents[bucket]?.removeAll { $0 == content }
      if contents[bucket]?.isEmpty == true { contents[bucket] = nil }
    } else if equals[content]!.isMostlyGaps {
      closeGaps(content)
    }
    return true
  }

  private mutating func closeGaps(_ content: FileContent) {
    var closed = Equals()
    for case let entry? in equals[content]!.entries { places[entry.path]!.index = closed.append(entry) }
    equals[content] = closed
  }
}
