// The group of IP addresses that one host can use at no cost. Limits and turns count by group.

/// An IPv4 address, or the first 64 bits of an IPv6 address. A network gives each host at least a /64 (RFC 4291,
/// section 2.5.4), so one host can use any of the 2^64 addresses below it.
public struct AddressGroup: Hashable, Sendable {
  /// The first 64 bits of an IPv6 address; 0 for IPv4.
  private let network: UInt64
  /// `::ffff:a.b.c.d` without its first eight bytes; 0 for IPv6.
  private let host: UInt64

  /// - `ip`: 16 bytes; IPv4 as `::ffff:a.b.c.d`.
  public init(ip: [UInt8]) {
    precondition(ip.count == 16, "an address is 16 bytes")
    network = ip[..<8].reduce(0) { $0 << 8 | UInt64($1) }
    let rest = ip[8...].reduce(0) { $0 << 8 | UInt64($1) }
    host = network == 0 && rest >> 32 == 0xffff ? rest : 0
  }
}
