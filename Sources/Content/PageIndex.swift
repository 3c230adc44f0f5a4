// The position of a page of chunk hashes: an aligned subtree of 1,024 chunks on the wire.

/// The position of a page of chunk hashes in its file, from 0.
public struct PageIndex: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (a: PageIndex, b: PageIndex) -> Bool { a.rawValue < b.rawValue }
}
