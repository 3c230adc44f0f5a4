// The number that a download knows a connection by. It is never reused, so an event of a closed connection is never
// attributed to another one.

/// The number of a connection. A download numbers the connections that it dials from 1; the node numbers inbound ones.
public struct ConnectionID: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (a: ConnectionID, b: ConnectionID) -> Bool { a.rawValue < b.rawValue }

  /// Whether the peer dialled.
  public var isInbound: Bool { self >= ConnectionID.firstInbound }

  /// The number of the first inbound connection, far above the numbers that a download uses.
  public static let firstInbound = ConnectionID(1 << 63)
}
