// From how far away an IP address leads to the same host. A node sends an address only to peers that are near enough.

/// Ordered from the nearest to the farthest.
///
/// Source: RFC 6890 (special-purpose addresses), RFC 4193 (unique local), RFC 4291 (IPv6 scopes).
enum AddressReach: Int, Comparable, Sendable {
  case host, link, site, world

  static func < (a: AddressReach, b: AddressReach) -> Bool { a.rawValue < b.rawValue }

  /// - `ip`: 16 bytes, IPv4 as `::ffff:a.b.c.d`. Nil: no peer can be dialled at the address.
  init?(_ ip: [UInt8]) {
    precondition(ip.count == 16, "an address is 16 bytes")
    let isIPv4 = ip[..<10].allSatisfy { $0 == 0 } && ip[10] == 0xFF && ip[11] == 0xFF
    let reach = isIPv4 ? AddressReach.ofIPv4(ip[12], ip[13]) : AddressReach.ofIPv6(ip)
    guard let reach else { return nil }
    self = reach
  }

  private static func ofIPv4(_ a: UInt8, _ b: UInt8) -> AddressReach? {
    switch (a, b) {
    case (0, _), (224..., _): nil
    case (127, _): .host
    case (169, 254): .link
    case (10, _), (172, 16...31), (192, 168), (100, 64...127): .site
    default: .world
    }
  }

  private static func ofIPv6(_ ip: [UInt8]) -> AddressReach? {
    if ip[..<15].allSatisfy({ $0 == 0 }) { return ip[15] == 1 ? .host : nil }
    return switch (ip[0], ip[1]) {
    case (0xFF, _): nil
    case (0xFE, 0x80...0xBF): .link
    case (0xFE, 0xC0...), (0xFC...0xFD, _): .site
    default: .world
    }
  }

  /// Returns whether a peer at reach `listener` finds the same host at this address. A link-local address needs an
  /// interface, which a message does not name.
  func isOfUse(to listener: AddressReach) -> Bool { self != .link && self >= min(listener, .site) && listener <= self }
}
