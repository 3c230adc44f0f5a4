// Writes a listing entry by entry, so that a program need not hold all entries besides the bytes.

/// A listing that grows. The caller appends the entries in listing order.
public struct FolderListingWriter: Sendable {
  private var bytes: [UInt8]
  /// The number of entries so far.
  public private(set) var count = 0

  /// - `byteCount`: bytes to reserve, so that a long listing is not copied while it grows.
  public init(reserving byteCount: Int = 0) {
    bytes = FolderListing.magic + [0, 0, 0, 0]
    bytes.reserveCapacity(byteCount)
  }

  /// Appends an entry. Throws if the listing becomes too long; `finish` checks all other rules.
  public mutating func append(_ entry: FolderEntry) throws(FolderListingFault) {
    guard count < FolderListing.entryCountMax else { throw FolderListingFault(.tooManyEntries) }
    guard entry.path.utf8.count <= FolderPath.byteCountMax else { throw FolderListingFault(.pathTooLong, entry: count) }
    if case .symbolicLink(let target) = entry.item, target.utf8.count > FolderPath.byteCountMax {
      throw FolderListingFault(.targetTooLong, entry: count)
    }
    entry.append(to: &bytes)
    guard bytes.count <= FolderListing.byteCountMax else { throw FolderListingFault(.tooLong) }
    count += 1
  }

  /// Returns the listing. Throws if the entries break a rule of listings.
  public consuming func finish() throws(FolderListingFault) -> FolderListing {
    for place in 0..<4 {
      bytes[FolderListing.magic.count + place] = UInt8(truncatingIfNeeded: count >> (24 - 8 * place))
    }
    return try FolderListing(decoding: bytes)
  }
}

extension FolderEntry {
  /// Whether the path and the target of the entry follow the rules of listings.
  public var isAllowed: Bool { (try? FolderListing([self])) != nil }
}
