// The address of a peer, as a value that the state machines compare without a socket.
import Wire

/// An IP address and a TCP port. It costs no allocation, since a download remembers thousands.
public struct PeerAddress: Hashable, Sendable {
  let host: PackedIP
  public let port: UInt16
  /// For scoped (link-local) IPv6 addresses: the interface; else 0.
  public let scope: UInt32

  /// - `ip`: 16 bytes; IPv4 as `::ffff:a.b.c.d`, so that both spellings of one address are equal.
  public init(ip: [UInt8], port: UInt16, scope: UInt32 = 0) {
    host = PackedIP(ip)
    self.port = port
    self.scope = scope
  }

  /// The 16 bytes that were passed to `init`.
  public var ip: [UInt8] { host.bytes }
}

/// The 16 bytes of an IP address as two words.
struct PackedIP: Hashable, Sendable {
  private let high, low: UInt64

  init(_ bytes: [UInt8]) {
    precondition(bytes.count == 16, "an address is 16 bytes")
    high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
    low = bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
  }

  var bytes: [UInt8] {
    (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(56 - 8 * ($0 % 8))) }
  }
}
