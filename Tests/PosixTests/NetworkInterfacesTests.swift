// Which addresses of a machine other machines can dial.
import Posix
import Testing

private func address(_ text: String, port: UInt16 = 0) -> Endpoint { HostPort(host: text, port: port).address! }

@Suite struct NetworkInterfacesTests {
  private let interfaces = ["127.0.0.1", "192.0.2.7", "169.254.1.1", "::1", "2001:db8::7", "fe80::7%1"].map {
    address($0)
  }

  @Test func `the loopback address is among those of this machine`() throws {
    #expect(try NetworkInterfaces.addresses().contains { $0.isLoopback })
  }

  @Test func `if a listener has one address, that address is dialable`() {
    for host in ["127.0.0.1", "192.0.2.9", "::1", "fe80::7%1"] {
      #expect(address(host, port: 9).dialable(interfaces: interfaces) == [address(host, port: 9)])
    }
  }

  @Test func `a listener on all addresses is dialable at the public ones of its family`() {
    #expect(
      Endpoint.any(port: 9).dialable(interfaces: interfaces)
        == [address("192.0.2.7", port: 9), address("2001:db8::7", port: 9)])
    #expect(address("0.0.0.0", port: 9).dialable(interfaces: interfaces) == [address("192.0.2.7", port: 9)])
  }

  @Test func `a machine without a public address is dialable at its loopback address`() {
    let alone = ["127.0.0.1", "::1", "fe80::7%1"].map { address($0) }
    #expect(Endpoint.any(port: 9).dialable(interfaces: alone) == [address("127.0.0.1", port: 9)])
  }
}
