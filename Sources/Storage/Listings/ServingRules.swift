// Decides which names of a served folder are left out, and why.
import Content

/// The rules for what a node serves of a folder.
public struct ServingRules: Sendable {
  /// The folders that have their own ID.
  public enum Folders: String, CaseIterable, Sendable {
    case none
    /// The served folder and each folder directly in it.
    case top
    /// The served folder and every folder below it.
    case all
  }

  public var folders: Folders
  /// Whether names with a leading dot are served.
  public var includesHidden: Bool
  /// Whether the target of a link is served as a file in place of the link. The target may be anywhere.
  public var followsLinks: Bool
  public var excluded: [PathPattern]
  /// The only names of the served folder that are served, whatever the other rules say. Nil: all names that the other
  /// rules allow. They are bytes, because file systems do not compare names as Unicode does.
  public var only: Set<[UInt8]>?

  public init(
    folders: Folders = .top, includesHidden: Bool = false, followsLinks: Bool = false, excluded: [PathPattern] = [],
    only: Set<[UInt8]>? = nil
  ) {
    self.folders = folders
    self.includesHidden = includesHidden
    self.followsLinks = followsLinks
    self.excluded = excluded
    self.only = only
  }

  /// The decision about a name.
  enum Verdict {
    case served(String)
    case leftOut(LeftOut)
    /// A part of an unfinished download, or a name that is not in `only`. It is not counted as left out.
    case ignored
  }

  /// - `prefix`: the path of the name's folder, with a "/" at its end. "" is the served folder.
  func verdict(on name: [UInt8], in prefix: String) -> Verdict {
    if let only, prefix.isEmpty {
      guard only.contains(name) else { return .ignored }
      return String(validating: name, as: UTF8.self).map { .served($0) } ?? .leftOut(.name)
    }
    if name.first == UInt8(ascii: ".") {
      if ServingRules.partEndings.contains(where: { name.suffix($0.count).elementsEqual($0) }) { return .ignored }
      if !includesHidden { return .leftOut(.hidden) }
    }
    guard let text = String(validating: name, as: UTF8.self) else { return .leftOut(.name) }
    if !excluded.isEmpty {
      let path = prefix + text
      if excluded.contains(where: { $0.matches(path) }) { return .leftOut(.excluded) }
    }
    return .served(text)
  }

  private static let partEndings = [Array(".p2p-part".utf8), Array(".p2p-journal".utf8)]

  /// Whether a folder has its own ID.
  /// - `path`: "" is the served folder.
  func offers(folder path: String) -> Bool {
    switch folders {
    case .none: false
    case .top: !path.utf8.contains(UInt8(ascii: "/"))
    case .all: true
    }
  }
}

/// Why the listing does not have an entry of the served folder.
public enum LeftOut: String, CaseIterable, Hashable, Sendable {
  case hidden
  case excluded
  /// The name is not UTF-8, or lies too deep for a listing.
  case name
  /// The link leads out of the folder, or a listing may not have it for another reason.
  case link
  /// A FIFO, a socket or a device.
  case special
  /// The file is too long, or the file or folder cannot be read.
  case unreadable
  /// The file keeps changing.
  case changing

  /// The words after a count.
  fileprivate func words(_ count: Int) -> String {
    switch self {
    case .hidden: "hidden"
    case .excluded: "excluded"
    case .name:
      count == 1 ? "whose name is not UTF-8, or that is too deep" : "whose names are not UTF-8, or that are too deep"
    case .link: count == 1 ? "link that leaves the folder" : "links that leave the folder"
    case .special: count == 1 ? "special file" : "special files"
    case .unreadable: "unreadable"
    case .changing: "changing all the time"
    }
  }
}

/// The number of entries that are left out, by reason.
public struct LeftOutCounts: Hashable, Sendable, CustomStringConvertible {
  /// The most hidden paths that are named.
  private static let firstMax = 3

  public private(set) var counts: [LeftOut: Int] = [:]
  /// The paths of the first hidden entries, as they are: escape them before printing.
  public private(set) var firstHidden: [String] = []

  public init() {}

  /// - `path`: called if the path may be named.
  mutating func add(_ reason: LeftOut, _ path: @autoclosure () -> String) {
    counts[reason, default: 0] += 1
    if reason == .hidden, firstHidden.count < LeftOutCounts.firstMax { firstHidden.append(path()) }
  }

  mutating func add(_ reason: LeftOut) { counts[reason, default: 0] += 1 }

  public var isEmpty: Bool { counts.isEmpty }
  public var total: Int { counts.values.reduce(0, +) }

  /// For example "3 hidden, 1 special file".
  public var description: String {
    LeftOut.allCases.compactMap { reason in counts[reason].map { "\($0) \(reason.words($0))" } }.joined(separator: ", ")
  }
}
