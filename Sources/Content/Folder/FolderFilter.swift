// A user's choice of a part of a folder.

/// Include and exclude rules for paths, in the user's order. The last rule that matches a path decides.
///
/// A path that no rule matches is included if the first rule excludes, and left out if the first rule includes.
public struct FolderFilter: Hashable, Sendable {
  /// Whether the paths that match a pattern are included or excluded.
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

  /// Returns the entries of a listing that the filter includes.
  public func entries(of listing: FolderListing) -> EntrySet {
    if rules.isEmpty { return EntrySet(entryCount: listing.count, isFull: true) }
    var entries = EntrySet(entryCount: listing.count)
    for entry in 0..<listing.count where includes(listing.path(of: entry).description) { entries.insert(entry) }
    return entries
  }
}
