// A second implementation of the listing rules in section 17 of `Protocol/README.md`. The decoder must agree with it.

enum FolderRules {
  /// Whether bytes are a listing. Does not check the number of chunks: a layout does.
  static func allow(_ bytes: [UInt8]) -> Bool {
    var at = 17
    func number(_ count: Int) -> UInt64? {
      guard bytes.count - at >= count else { return nil }
      defer { at += count }
      return bytes[at..<at + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
    func text() -> [UInt8]? {
      guard let count = number(2), bytes.count - at >= Int(count) else { return nil }
      defer { at += Int(count) }
      return Array(bytes[at..<at + Int(count)])
    }
    guard bytes.count <= 1 << 30, Array(bytes.prefix(17)) == Array("p2pnode-folder-v1".utf8), let count = number(4),
      count <= 1 << 22
    else { return false }
    var last: [[UInt8]]?
    var sum: UInt64 = 0
    for _ in 0..<count {
      guard let type = number(1), type <= 3, let path = text().flatMap(components), isPath(path) else { return false }
      if let last, !isAfter(path, last) { return false }
      last = path
      switch type {
      case 0, 1:
        guard let length = number(8), bytes.count - at >= 32 else { return false }
        guard (length == 0) == bytes[at..<at + 32].allSatisfy({ $0 == 0 }) else { return false }
        at += 32
        let (all, overflows) = sum.addingReportingOverflow(length)
        guard !overflows, all <= 1 << 42 else { return false }
        sum = all
      case 2:
        guard let target = text().flatMap(components), isTarget(target, parents: path.count - 1) else { return false }
      default: break
      }
    }
    return at == bytes.count
  }

  /// Returns the components of a path or target. Nil if the text cannot be one.
  private static func components(_ text: [UInt8]) -> [[UInt8]]? {
    guard (1...4095).contains(text.count), !text.contains(0),
      String(decoding: text, as: UTF8.self).utf8.elementsEqual(text)
    else { return nil }
    return text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Array($0) }
  }

  private static let dots = [Array(".".utf8), Array("..".utf8)]

  private static func isPath(_ path: [[UInt8]]) -> Bool {
    path.count <= 64 && path.allSatisfy { (1...255).contains($0.count) && !dots.contains($0) }
  }

  private static func isTarget(_ target: [[UInt8]], parents: Int) -> Bool {
    let up = target.prefix { $0 == dots[1] }.count
    return up <= parents && target.dropFirst(up).allSatisfy { !$0.isEmpty && !dots.contains($0) }
  }

  /// Whether a path comes after the previous one and is not below it.
  private static func isAfter(_ path: [[UInt8]], _ last: [[UInt8]]) -> Bool {
    for (mine, other) in zip(path, last) where mine != other { return other.lexicographicallyPrecedes(mine) }
    return false
  }
}
