// Which part of a folder a user wants.

/// Rules about paths, in the order in which a user gave them. The last rule that matches a path decides about it.
///
/// If no rule matches a path, it is included, unless the first rule is one that includes: such a filter names what is
/// wanted, and any other filter names what is not.
public struct FolderFilter: Hashable, Sendable {
  /// What becomes of the paths that a pattern matches.
  public struct Rule: Hashable, Sendable {
    public let pattern: PathPattern
    public let isIncluding: Bool

    public init(including pattern: PathPattern) { (self.pattern, isIncluding) = (pattern, true) }

    public init(excluding pattern: PathPattern) { (self.pattern, isIncluding) = (pattern, false) }
  }

  public let rules: [Rule]

  /// Without rules the filter includes every path.
  public init(_ rules: [Rule] = []) { self.rules = rules }

  public func includes(_ path: some StringProtocol) -> Bool {
    if let rule = rules.last(where: { $0.pattern.matches(path) }) { return rule.isIncluding }
    return rules.first?.isIncluding != true
  }

  /// The entries of a listing that the filter includes.
  public func entries(of listing: FolderListing) -> EntrySet {
    if rules.isEmpty { return EntrySet(entryCount: listing.count, isFull: true) }
    var entries = EntrySet(entryCount: listing.count)
    for entry in 0..<listing.count where includes(listing.path(of: entry).description) { entries.insert(entry) }
    return entries
  }
}
