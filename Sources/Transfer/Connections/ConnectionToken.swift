// The token of a connection in a node: the loop that runs it, and a number that is never reused.

/// Identifies a connection everywhere in a node: in epoll, in the admission, in the swarms, and in the commands to a
/// loop.
///
/// A node never reuses a number, not even on two loops. So an event or an order for a connection that has ended never
/// reaches another connection. Tokens of one loop compare in the order in which they were made.
public struct ConnectionToken: RawRepresentable, Hashable, Comparable, Sendable {
  /// The bits of the number. A node that accepts a million connections a second needs nine years to use all numbers.
  private static let numberBits = 48

  /// The index of the loop in the upper 16 bits, the number in the lower 48.
  public let rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// - `loop`: the index of the loop, below 2^16.
  /// - `number`: below 2^48.
  public init(loop: Int, number: UInt64) {
    precondition(number >> ConnectionToken.numberBits == 0, "all numbers of connections are used")
    rawValue = UInt64(UInt16(loop)) << ConnectionToken.numberBits | number
  }

  /// The index of the loop that runs the connection.
  public var loop: Int { Int(rawValue >> ConnectionToken.numberBits) }

  public static func < (a: ConnectionToken, b: ConnectionToken) -> Bool { a.rawValue < b.rawValue }
}
