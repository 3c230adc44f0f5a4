// Where a peer was dialled, as a value that the brain can count and compare without a socket.
import Wire

/// An IP address and a TCP port.
public struct PeerAddress: Hashable, Sendable {
  /// 16 bytes; IPv4 as `::ffff:a.b.c.d`, so that one host's two spellings are one.
  public let ip: [UInt8]
  public let port: UInt16
  /// For scoped (link-local) IPv6 addresses: the interface; else 0.
  public let scope: UInt32

  public init(ip: [UInt8], port: UInt16, scope: UInt32 = 0) {
    precondition(ip.count == 16, "an address is 16 bytes")
    self.ip = ip
    self.port = port
    self.scope = scope
  }
}
