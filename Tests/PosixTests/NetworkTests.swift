// Addresses of networks: parsed without a name server, and matched by their prefixes.
import Testing

@testable import Posix

@Suite struct NetworkTests {
  @Test(arguments: [
    ("127.0.0.1", "127.0.0.1:9"), ("::1", "[::1]:9"), ("::ffff:10.1.2.3", "10.1.2.3:9"), ("fe80::1%2", "[fe80::1%2]:9"),
    ("2001:db8::7", "[2001:db8::7]:9"),
  ])
  func `a numeric address is parsed`(text: String, shown: String) {
    #expect(Endpoint(numericHost: text, port: 9)?.description == shown)
  }

  @Test(arguments: [
    "", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "fe80::1%", "fe80::1%eth0", "fe80::1%-1", "fe80::1%4294967296",
    "1.2.3.4%1", "fe80::1%1%2", "::1\0", "[::1]", " 1.2.3.4", "%1",
  ])
  func `any other text is not a numeric address`(text: String) {
    #expect(Endpoint(numericHost: text, port: 9) == nil)
  }

  @Test func `addresses know whether they are multicast, link-local, loopback or any`() {
    func address(_ text: String) -> Endpoint { Endpoint(numericHost: text, port: 1)! }
    #expect(
      address("224.0.0.1").isMulticast && address("239.255.255.255").isMulticast && address("ff12::1").isMulticast)
    #expect(
      !address("223.255.255.255").isMulticast && !address("240.0.0.1").isMulticast && !address("fe80::1").isMulticast)
    #expect(address("fe80::1").isLinkLocal && address("febf::1").isLinkLocal && !address("fec0::1").isLinkLocal)
    #expect(address("127.9.9.9").isLoopback && address("::1").isLoopback && !address("::2").isLoopback)
    #expect(address("0.0.0.0").isAnyIPv4 && !address("::").isAnyIPv4 && !address("0.0.0.1").isAnyIPv4)
  }

  @Test func `two addresses are of one network if their prefixes are equal`() {
    func ip(_ text: String) -> [UInt8] { Endpoint(numericHost: text, port: 0)!.ip }
    let network = NetworkInterface.Address(ip: ip("10.0.129.1"), prefixBits: 96 + 17)
    #expect(network.isOfSameNetwork(ip("10.0.128.0")) && network.isOfSameNetwork(ip("10.0.255.255")))
    #expect(!network.isOfSameNetwork(ip("10.0.127.255")) && !network.isOfSameNetwork(ip("11.0.129.1")))
    #expect(!network.isOfSameNetwork(ip("::1")))
    #expect(NetworkInterface.Address(ip: ip("::1"), prefixBits: 128).isOfSameNetwork(ip("::1")))
    #expect(NetworkInterface.Address(ip: ip("::1"), prefixBits: 0).isOfSameNetwork(ip("10.0.0.1")))
  }

  @Test func `the loopback interface is not a local network, and has its address and prefix`() throws {
    let loopback = try NetworkInterface.all().first {
      $0.addresses.contains { Endpoint(ip: $0.ip, port: 0).isLoopback }
    }
    let found = try #require(loopback)
    #expect(!found.isLocalNetwork && found.index > 0)
    #expect(
      found.addresses.contains(
        NetworkInterface.Address(ip: Endpoint(numericHost: "127.0.0.1", port: 0)!.ip, prefixBits: 104)))
  }

  @Test func `a datagram that is too long is received with one byte over the limit`() throws {
    let receiving = try DatagramSocket.bound(to: Endpoint(ipv4: (127, 0, 0, 1), port: 0))
    let sending = try DatagramSocket.bound(to: Endpoint(ipv4: (127, 0, 0, 1), port: 0))
    #expect(try receiving.receive(byteCountMax: 8) == nil)
    let address = try receiving.localAddress()
    for count in [0, 8, 9, 100] { try sending.send(Array(repeating: 7, count: count), to: address) }
    for count in [0, 8, 9, 9] {
      let (bytes, from) = try #require(try receiving.receive(byteCountMax: 8))
      #expect(bytes == Array(repeating: 7, count: count))
      #expect(try from == sending.localAddress())
    }
  }
}
