// Paths of a folder listing. They are bytes, because two names that look the same may be two files.

/// A path within a folder, as bytes of UTF-8. Two paths are equal if their bytes are. Their order is the order of
/// listings: component by component.
///
/// Source: `Protocol/README.md`, "Listing".
public struct FolderPath: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The most bytes of a path.
  public static let byteCountMax = 4_095
  /// The most bytes of a component.
  public static let componentByteCountMax = 255
  /// The most components of a path.
  public static let componentCountMax = 64

  static let separator = UInt8(ascii: "/")

  /// The components, joined by "/".
  public let utf8: [UInt8]

  /// Takes any bytes. A listing checks the rules of paths.
  public init(utf8: [UInt8]) { self.utf8 = utf8 }

  public init(_ path: String) { utf8 = Array(path.utf8) }

  /// The path as text.
  public var description: String { String(decoding: utf8, as: UTF8.self) }

  /// The components of the path, in order.
  public var components: [FolderPath] {
    utf8.split(separator: FolderPath.separator, omittingEmptySubsequences: false).map { FolderPath(utf8: Array($0)) }
  }

  /// The path of the folder that holds it. Nil if that is the listed folder itself.
  public var parent: FolderPath? {
    utf8.lastIndex(of: FolderPath.separator).map { FolderPath(utf8: Array(utf8[..<$0])) }
  }

  /// The first component.
  public var first: FolderPath { FolderPath(utf8: Array(utf8.prefix { $0 != FolderPath.separator })) }

  /// The last component.
  public var name: FolderPath {
    utf8.lastIndex(of: FolderPath.separator).map { FolderPath(utf8: Array(utf8[($0 + 1)...])) } ?? self
  }

  /// Whether the path lies below another one.
  public func isBelow(_ other: FolderPath) -> Bool {
    utf8.count > other.utf8.count && utf8[other.utf8.count] == FolderPath.separator && utf8.starts(with: other.utf8)
  }

  /// Orders paths. The separator ranks below any byte of a name, so all that lies below a folder follows it directly.
  public static func < (a: FolderPath, b: FolderPath) -> Bool { isOrdered(a.utf8[...], before: b.utf8[...]) }

  /// Does the same for the bytes of two paths.
  public static func isOrdered(_ a: ArraySlice<UInt8>, before b: ArraySlice<UInt8>) -> Bool {
    for (x, y) in zip(a, b) where x != y { return rank(x) < rank(y) }
    return a.count < b.count
  }

  private static func rank(_ byte: UInt8) -> UInt8 { byte == separator ? 0 : byte }
}
