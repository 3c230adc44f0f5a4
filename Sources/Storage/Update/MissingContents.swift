// Finds the missing files of an update by their contents.
import Content

/// Some files of a listing, sorted by length and root. Takes four bytes for each of them.
struct MissingContents {
  private let listing: FolderListing
  /// In ascending order of length, then of the root's first bytes, then of the entry's number.
  private var entries: [UInt32]

  /// - `entries`: files that are not empty.
  init(_ listing: FolderListing, _ entries: some Sequence<Int>) {
    self.listing = listing
    self.entries = entries.map { UInt32($0) }
    self.entries.sort { MissingContents.key(listing, $0) < MissingContents.key(listing, $1) }
  }

  var isEmpty: Bool { entries.isEmpty }

  /// Whether a file of this length is missing.
  func hasLength(_ length: UInt64) -> Bool {
    let place = firstPlace { listing.fileLength(of: Int($0)) >= length }
    return place < entries.count && listing.fileLength(of: Int(entries[place])) == length
  }

  /// Returns the missing files that have a content.
  func entries(of content: FileContent) -> [Int] {
    var found: [Int] = []
    var place = firstPlace { MissingContents.key(listing, $0) >= (content.length, content.root.mark, 0) }
    while place < entries.count {
      let entry = Int(entries[place])
      guard listing.fileLength(of: entry) == content.length, listing.fileRoot(of: entry).mark == content.root.mark
      else { break }
      if listing.fileRoot(of: entry) == content.root { found.append(entry) }
      place += 1
    }
    return found
  }

  /// Keeps only the files that are still missing.
  mutating func keep(where isMissing: (Int) -> Bool) { entries.removeAll { !isMissing(Int($0)) } }

  private static func key(_ listing: FolderListing, _ entry: UInt32) -> (UInt64, UInt64, UInt32) {
    (listing.fileLength(of: Int(entry)), listing.fileRoot(of: Int(entry)).mark, entry)
  }

  private func firstPlace(where isAfter: (UInt32) -> Bool) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = low + (high - low) / 2
      if isAfter(entries[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
