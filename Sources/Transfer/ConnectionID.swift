// Names a connection for as long as the process runs, so that an event of a closed one is never taken for another's.

/// A connection. Those that a download dials are numbered by it from 1; the node numbers those that came in.
public struct ConnectionID: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (a: ConnectionID, b: ConnectionID) -> Bool { a.rawValue < b.rawValue }

  /// Where the node starts to number connections that came in, far above all that a download dials.
  public static let firstInbound = ConnectionID(1 << 63)
}
