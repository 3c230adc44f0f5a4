// Patterns of paths, as a user types them to include or exclude files.

/// A pattern for paths. `*` matches any characters except "/", `**` any characters, `?` one character except "/", and
/// `[a-z]` or `[!a-z]` one of a set of ASCII characters. A backslash makes the next character ordinary.
///
/// A pattern without "/" is compared with names: it matches each path that has a component of this name. Any other
/// pattern is compared with paths that start at the listed folder: it matches a path and all that lies below it.
public struct PathPattern: Hashable, Sendable {
  fileprivate enum Token: Hashable, Sendable {
    case byte(UInt8)
    /// A byte that begins a character, except "/".
    case character
    case set([ClosedRange<UInt8>], isNegated: Bool)
    /// Zero or more continuation bytes of a UTF-8 character.
    case rest
    /// Zero or more bytes, except "/".
    case star
    case all
  }

  /// The pattern as the user typed it.
  public let text: String
  private let tokens: [Token]
  private let isName: Bool

  /// Nil if the pattern is empty, or if a bracket is not closed or a backslash is last.
  public init?(_ text: String) {
    var pattern = Array(text.utf8)[...]
    if pattern.last == FolderPath.separator { pattern.removeLast() }
    isName = !pattern.contains(FolderPath.separator)
    if pattern.first == FolderPath.separator { pattern.removeFirst() }
    var tokens: [Token] = []
    while let byte = pattern.popFirst() {
      switch byte {
      case UInt8(ascii: "*"):
        let isDouble = pattern.first == byte
        while pattern.first == byte { pattern.removeFirst() }
        tokens.append(isDouble ? .all : .star)
      case UInt8(ascii: "?"): tokens += [.character, .rest]
      case UInt8(ascii: "["):
        guard let set = PathPattern.set(&pattern) else { return nil }
        tokens += [set, .rest]
      case UInt8(ascii: "\\"):
        guard let next = pattern.popFirst() else { return nil }
        tokens.append(.byte(next))
      default: tokens.append(.byte(byte))
      }
    }
    guard !tokens.isEmpty else { return nil }
    self.text = text
    self.tokens = tokens
  }

  /// Reads the rest of a set, after its "[".
  private static func set(_ pattern: inout ArraySlice<UInt8>) -> Token? {
    let isNegated = pattern.first == UInt8(ascii: "!") || pattern.first == UInt8(ascii: "^")
    if isNegated { pattern.removeFirst() }
    var ranges: [ClosedRange<UInt8>] = []
    while let low = pattern.popFirst() {
      if low == UInt8(ascii: "]"), !ranges.isEmpty { return .set(ranges, isNegated: isNegated) }
      guard low < 0x80 else { return nil }
      var high = low
      if pattern.first == UInt8(ascii: "-"), pattern.dropFirst().first != UInt8(ascii: "]") {
        pattern.removeFirst()
        guard let end = pattern.popFirst(), end < 0x80, end >= low else { return nil }
        high = end
      }
      ranges.append(low...high)
    }
    return nil
  }

  /// Whether the pattern matches a path, or a folder that contains the path.
  public func matches(_ path: some StringProtocol) -> Bool {
    let bytes = Array(path.utf8)
    if isName { return bytes.split(separator: FolderPath.separator).contains { matchesWhole($0) } }
    let ends = bytes.indices.filter { bytes[$0] == FolderPath.separator } + [bytes.count]
    return ends.contains { matchesWhole(bytes[..<$0]) }
  }

  /// Tries all ways to match in parallel. The time is at most the product of both lengths, whatever the pattern is.
  private func matchesWhole(_ bytes: ArraySlice<UInt8>) -> Bool {
    var places = Set([0])
    skip(&places)
    for byte in bytes {
      var next: Set<Int> = []
      for place in places where place < tokens.count && tokens[place].takes(byte) {
        next.insert(tokens[place].isRepeated ? place : place + 1)
      }
      if next.isEmpty { return false }
      skip(&next)
      places = next
    }
    return places.contains(tokens.count)
  }

  /// Adds the places that are reached without reading a byte.
  private func skip(_ places: inout Set<Int>) {
    for place in 0..<tokens.count where places.contains(place) && tokens[place].isRepeated { places.insert(place + 1) }
  }
}

extension PathPattern.Token {
  fileprivate var isRepeated: Bool {
    switch self {
    case .star, .all, .rest: true
    case .byte, .character, .set: false
    }
  }

  fileprivate func takes(_ byte: UInt8) -> Bool {
    let goesOn = byte & 0xC0 == 0x80
    return switch self {
    case .byte(let own): own == byte
    case .character: byte != FolderPath.separator && !goesOn
    case .set(let ranges, let isNegated):
      byte != FolderPath.separator && !goesOn && ranges.contains { $0.contains(byte) } != isNegated
    case .rest: goesOn
    case .star: byte != FolderPath.separator
    case .all: true
    }
  }
}
