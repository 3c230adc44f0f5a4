// Names a connection for as long as the process runs, so that an event of a closed one is never taken for another's.

/// A connection. A download numbers those that it dials from 1; the node numbers those that came in.
public struct ConnectionID: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (a: ConnectionID, b: ConnectionID) -> Bool { a.rawValue < b.rawValue }

  /// Whether the peer dialled.
  public var isInbound: Bool { self >= ConnectionID.firstInbound }

  /// The number of the first connection that came in, far above all that a download dials.
  public static let firstInbound = ConnectionID(1 << 63)
}
