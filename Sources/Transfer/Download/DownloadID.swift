// The name of a download among those of a node.

/// One download of a node. No other download of the process gets the same number later.
public struct DownloadID: Hashable, Sendable {
  public let rawValue: UInt64
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}
