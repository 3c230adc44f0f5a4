// Which addresses count as one host.
import Testing

@testable import Transfer

/// 127.0.0.`last`.
func host(_ last: Int) -> AddressGroup {
  AddressGroup(ip: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, UInt8(last >> 8), UInt8(last & 255)])
}

@Suite struct AddressGroupTests {
  private func ipv4(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) -> AddressGroup {
    AddressGroup(ip: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
  }

  /// Returns an address whose bytes count up from `first`, except the byte at `place`.
  private func ipv6(changing place: Int, to byte: UInt8 = 99, first: UInt8 = 0x20) -> AddressGroup {
    var ip = (0..<16).map { first &+ UInt8($0) }
    if ip.indices.contains(place) { ip[place] = byte }
    return AddressGroup(ip: ip)
  }

  @Test func `each IPv4 address is a group of its own`() {
    #expect(ipv4(127, 0, 0, 1) == ipv4(127, 0, 0, 1))
    #expect(Set([ipv4(127, 0, 0, 1), ipv4(127, 0, 0, 2), ipv4(127, 0, 1, 1), ipv4(10, 0, 0, 1)]).count == 4)
  }

  @Test func `the addresses of an IPv6 network of 64 bits are one group`() {
    for place in 8..<16 { #expect(ipv6(changing: place) == ipv6(changing: -1), "byte \(place)") }
    for place in 0..<8 { #expect(ipv6(changing: place) != ipv6(changing: -1), "byte \(place)") }
  }

  @Test func `IPv4 addresses do not belong to the IPv6 network of zeros`() {
    var loopback = [UInt8](repeating: 0, count: 16)
    loopback[15] = 1
    #expect(AddressGroup(ip: loopback) == AddressGroup(ip: [UInt8](repeating: 0, count: 16)))
    #expect(AddressGroup(ip: loopback) != ipv4(0, 0, 0, 1))
    #expect(AddressGroup(ip: loopback) != ipv4(0, 0, 0, 0))
  }
}
