// The number that identifies a download of a node.

/// A download of a node. No later download of the process gets the same number.
public struct DownloadID: Hashable, Sendable {
  public let rawValue: UInt64
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}
