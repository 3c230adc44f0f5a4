// Paths as keys: two names that are the same text in other bytes are two files.

/// A path that is compared by its bytes. A `String` is compared as a text.
public struct BytePath: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let text: String

  public init(_ text: String) { self.text = text }
  public init(stringLiteral text: String) { self.text = text }
  public var description: String { text }

  public static func == (a: BytePath, b: BytePath) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
  public static func < (a: BytePath, b: BytePath) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
  public func hash(into hasher: inout Hasher) { hasher.combine(bytesOf: text.utf8) }

  /// The path of the folder, "" if there is none, and the name.
  var parts: (folder: String, name: Substring) {
    guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", text[...]) }
    return (String(text[..<slash]), text[text.utf8.index(after: slash)...])
  }
}

/// Whether two paths have the same bytes.
func isSame(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

/// Whether a path, of whatever, leads through a folder; "" is the served folder.
func isBelow(_ folder: String, _ path: String) -> Bool {
  if folder.isEmpty { return true }
  let count = folder.utf8.count
  return path.utf8.count > count && path.utf8.starts(with: folder.utf8)
    && path.utf8[path.utf8.index(path.utf8.startIndex, offsetBy: count)] == UInt8(ascii: "/")
}

/// The path of a folder, or of a file below it, after the folder has moved.
func movedPath(_ path: String, from old: String, to new: String) -> String {
  new + String(decoding: path.utf8.dropFirst(old.utf8.count), as: UTF8.self)
}

extension Hasher {
  /// Takes bytes in, eight at a time.
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
