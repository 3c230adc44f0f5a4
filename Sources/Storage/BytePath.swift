// Paths as dictionary keys. Unicode has several byte forms of the same text, and each names a different file.

/// A path that is compared by its bytes. A `String` would be compared by Unicode equivalence.
public struct BytePath: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let text: String

  public init(_ text: String) { self.text = text }
  public init(stringLiteral text: String) { self.text = text }
  public var description: String { text }

  public static func == (a: BytePath, b: BytePath) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
  public static func < (a: BytePath, b: BytePath) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
  public func hash(into hasher: inout Hasher) { hasher.combine(bytesOf: text.utf8) }

  /// The folder's path ("" if the path has no folder) and the name.
  var parts: (folder: String, name: Substring) {
    guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", text[...]) }
    return (String(text[..<slash]), text[text.utf8.index(after: slash)...])
  }
}

/// Whether two paths have the same bytes.
func isSame(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

/// Whether a path leads through a folder. "" is the served folder, which contains every path.
func isBelow(_ folder: String, _ path: String) -> Bool {
  if folder.isEmpty { return true }
  let count = folder.utf8.count
  return path.utf8.count > count && path.utf8.starts(with: folder.utf8)
    && path.utf8[path.utf8.index(path.utf8.startIndex, offsetBy: count)] == UInt8(ascii: "/")
}

/// Returns the new path of a moved folder, or of a file below it.
func movedPath(_ path: String, from old: String, to new: String) -> String {
  new + String(decoding: path.utf8.dropFirst(old.utf8.count), as: UTF8.self)
}

extension Hasher {
  /// Adds bytes, eight at a time.
  mutating func combine(bytesOf bytes: some Sequence<UInt8>) {
    var word: UInt64 = 0
    var count = 0
    for byte in bytes {
      word = word << 8 | UInt64(byte)
      count += 1
      if count & 7 == 0 { combine(word) }
    }
    combine(word)
    combine(count)
  }
}
