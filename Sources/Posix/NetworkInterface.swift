// The network interfaces of this machine, with their addresses.
import CLinux
import Glibc

/// A network interface at one moment.
public struct NetworkInterface: Hashable, Sendable {
  /// An address, and how many of its 128 bits are the network prefix. IPv4 is stored as `::ffff:a.b.c.d`, with 96 bits
  /// more.
  public struct Address: Hashable, Sendable {
    /// 16 bytes.
    public let ip: [UInt8]
    public let prefixBits: Int

    public init(ip: [UInt8], prefixBits: Int) {
      precondition(ip.count == 16 && (0...128).contains(prefixBits), "an address is 16 bytes")
      self.ip = ip
      self.prefixBits = prefixBits
    }

    /// Returns whether another address is in the same network.
    public func isOfSameNetwork(_ other: [UInt8]) -> Bool {
      let (bytes, bits) = prefixBits.quotientAndRemainder(dividingBy: 8)
      guard other.count == 16, ip[..<bytes] == other[..<bytes] else { return false }
      return bits == 0 || (ip[bytes] ^ other[bytes]) >> UInt8(8 - bits) == 0
    }
  }

  public let index: UInt32
  public let name: String
  /// Whether it is up, can multicast, and is neither a tunnel (point to point) nor the loopback.
  public let isLocalNetwork: Bool
  public fileprivate(set) var addresses: [Address]

  public init(index: UInt32, name: String, isLocalNetwork: Bool, addresses: [Address]) {
    self.index = index
    self.name = name
    self.isLocalNetwork = isLocalNetwork
    self.addresses = addresses
  }

  /// Returns all interfaces with an address, in the system's order.
  ///
  /// The corresponding C functions are `getifaddrs` and `if_nametoindex`.
  public static func all() throws(Errno) -> [NetworkInterface] {
    var list: UnsafeMutablePointer<ifaddrs>?
    _ = try retrying("getifaddrs") { getifaddrs(&list) }
    defer { freeifaddrs(list) }
    var found: [NetworkInterface] = []
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard let raw = entry.ifa_addr, let mask = entry.ifa_netmask, let address = bytes(of: raw),
        let maskBytes = bytes(of: mask)
      else { continue }
      let name = String(cString: entry.ifa_name)
      // Counts the leading ones of the mask. A mask with gaps, which does not occur, counts up to the first gap.
      let ones = maskBytes.prefix { $0 == 0xFF }.count
      let rest = ones < maskBytes.count ? (~maskBytes[ones]).leadingZeroBitCount : 0
      let isIPv4 = maskBytes.count == 4
      let prefixBits = (isIPv4 ? 96 : 0) + ones * 8 + rest
      let ip = (isIPv4 ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] : []) + address
      guard ip.count == 16 else { continue }
      if let place = found.firstIndex(where: { $0.name == name }) {
        found[place].addresses.append(Address(ip: ip, prefixBits: prefixBits))
      } else {
        let index = if_nametoindex(entry.ifa_name)
        guard index != 0 else { continue }  // the interface was removed meanwhile
        found.append(
          NetworkInterface(
            index: index, name: name, isLocalNetwork: isLocalNetwork(Int(entry.ifa_flags)),
            addresses: [Address(ip: ip, prefixBits: prefixBits)]))
      }
    }
    return found
  }

  private static func isLocalNetwork(_ flags: Int) -> Bool {
    func has(_ flag: Int) -> Bool { flags & flag != 0 }
    return has(Int(IFF_UP)) && has(Int(IFF_MULTICAST)) && !has(Int(IFF_POINTOPOINT)) && !has(Int(IFF_LOOPBACK))
  }

  /// Returns the bytes of an IPv4 (4) or IPv6 (16) address; nil for another family.
  private static func bytes(of address: UnsafePointer<sockaddr>) -> [UInt8]? {
    let raw = UnsafeRawPointer(address)
    switch Int32(address.pointee.sa_family) {
    case AF_INET: return withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in.self).sin_addr) { Array($0) }
    case AF_INET6: return withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr) { Array($0) }
    default: return nil
    }
  }
}
