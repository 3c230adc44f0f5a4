// The folder of local nodes: live nodes are found, dead ones are forgotten, and other files there do no harm.
import Glibc
import Posix
import TestSupport
import Testing
import Wire

@testable import PeerNode

@Suite struct LocalNodesTests {
  private let folder = TemporaryFolder()
  private let node = LocalNode(
    peer: StaticIdentity.random().peerID,
    addresses: [.loopback(9_800), Endpoint(numericHost: "fe80::1%3", port: 1)!])

  private var text: String { String(decoding: LocalNodes.encode(node), as: UTF8.self) }
  private let name = String(repeating: "0a", count: 16) + ".node"

  @Test func `a node is found while it lives`() throws {
    let file = try LocalNodes.announce(node, in: folder.path)
    let other = LocalNode(peer: StaticIdentity.random().peerID, addresses: [.loopback(1)])
    var second: LocalNodeFile? = try LocalNodes.announce(other, in: folder.path)
    #expect(Set(LocalNodes.nodes(in: folder.path)) == [node, other])
    #expect(second != nil)
    second = nil
    #expect(LocalNodes.nodes(in: folder.path) == [node])
    #expect(folder.names.count == 1)
    withExtendedLifetime(file) {}
  }

  @Test func `the file of a node is private to its owner`() throws {
    let file = try LocalNodes.announce(node, in: folder.path)
    var raw = stat()
    #expect(stat(folder(folder.names[0]), &raw) == 0 && raw.st_mode & 0o7777 == 0o600)
    withExtendedLifetime(file) {}
  }

  @Test func `a node that looks or starts removes the file of a dead node`() throws {
    folder.write(name, LocalNodes.encode(node), mode: 0o600)
    #expect(LocalNodes.nodes(in: folder.path) == [])
    #expect(folder.names == [])
    folder.write(name, LocalNodes.encode(node), mode: 0o600)
    let file = try LocalNodes.announce(node, in: folder.path)
    #expect(!folder.names.contains(name) && folder.names.count == 1)
    withExtendedLifetime(file) {}
  }

  @Test func `files with other names or another format are neither read nor removed`() throws {
    let names = ["a.node", "notes.txt", ".\(name)", name.uppercased(), "id_rsa"]
    for name in names { folder.write(name, LocalNodes.encode(node), mode: 0o600) }
    folder.write(name, Array("some notes".utf8), mode: 0o600)
    #expect(LocalNodes.nodes(in: folder.path) == [])
    #expect(Set(folder.names) == Set(names + [name]))
  }

  @Test func `a folder that others may enter is not trusted`() throws {
    let file = try LocalNodes.announce(node, in: folder.path)
    chmod(folder.path, 0o755)
    #expect(LocalNodes.nodes(in: folder.path) == [])
    #expect(throws: LocalNodesError.self) { try LocalNodes.announce(node, in: folder.path) }
    chmod(folder.path, 0o700)
    #expect(LocalNodes.nodes(in: folder.path) == [node])
    #expect(folder.names.count == 1)
    withExtendedLifetime(file) {}
  }

  @Test func `links, pipes and large files are skipped`() throws {
    symlink("/etc/hostname", folder(name))
    mkfifo(folder("b" + name.dropFirst()), 0o600)
    folder.write("c" + name.dropFirst(), Array(text.utf8) + Array(repeating: 10, count: 4_096), mode: 0o600)
    #expect(LocalNodes.nodes(in: folder.path) == [])
    #expect(folder.names.count == 3)
  }

  @Test func `a missing folder has no nodes, and the first node makes it`() throws {
    let path = folder("run")
    #expect(LocalNodes.nodes(in: path) == [])
    let file = try LocalNodes.announce(node, in: path)
    withExtendedLifetime(file) {
      var raw = stat()
      #expect(stat(path, &raw) == 0 && raw.st_mode & 0o7777 == 0o700)
      #expect(LocalNodes.nodes(in: path) == [node])
    }
    rmdir(path)
  }

  @Test func `a node file is read as it was written, and not at all if it is truncated`() {
    let bytes = LocalNodes.encode(node)
    #expect(LocalNodes.decode(bytes) == node)
    let oneAddress = bytes.lastIndex(of: UInt8(ascii: "a"))!
    for count in bytes.indices {
      let expected = count == oneAddress ? LocalNode(peer: node.peer, addresses: [node.addresses[0]]) : nil
      #expect(LocalNodes.decode(Array(bytes[..<count])) == expected, "\(count) bytes")
    }
  }

  @Test(arguments: [
    ("node 1", "node 2"), ("peer ", "peer: "), ("127.0.0.1", "localhost"), ("127.0.0.1", "example.org"),
    ("127.0.0.1", "239.255.112.50"), (" 9800", " 0"), (" 9800", " 65536"), (" 9800", " -1"), (" 9800", ""),
    (" 9800", " 9800 1"), ("\naddress", "\n\naddress"), ("address", "adress"), ("fe80::1%3", "fe80::1%lo"),
    ("\n", "\r\n"), ("127", "\u{202E}127"),
  ])
  func `any other text is not a node`(old: String, new: String) {
    let changed = text.split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    #expect(changed != text)
    #expect(LocalNodes.decode(Array(changed.utf8)) == nil)
  }

  @Test func `no bytes make the parser trap`() {
    var state: UInt64 = 1
    let good = LocalNodes.encode(node)
    for _ in 0..<20_000 {
      var bytes = good
      for _ in 0..<3 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 20)
      }
      _ = LocalNodes.decode(bytes)
    }
    #expect(LocalNodes.decode(Array(repeating: 0xFF, count: 512)) == nil)
    #expect(LocalNodes.decode(Array(repeating: 10, count: 512)) == nil)
  }

  @Test func `a listener on all addresses is reached over loopback`() {
    let any = LocalNodes.addresses(of: .any(port: 9_800))
    #expect(any == [.loopback(9_800)])
    #expect(LocalNodes.addresses(of: Endpoint(ipv4: (0, 0, 0, 0), port: 7)) == [.loopback(7)])
    let one = Endpoint(ipv4: (192, 0, 2, 1), port: 7)
    #expect(LocalNodes.addresses(of: one) == [one])
  }
}

@Suite struct LocalNetworksTests {
  private static func ip(_ text: String) -> [UInt8] { Endpoint(numericHost: text, port: 0)!.ip }

  private static func interface(
    _ index: UInt32, _ addresses: [(String, Int)], isLocalNetwork: Bool = true
  ) -> NetworkInterface {
    NetworkInterface(
      index: index, name: "n\(index)", isLocalNetwork: isLocalNetwork,
      addresses: addresses.map { .init(ip: ip($0), prefixBits: $1) })
  }

  private let networks = LocalNetworks([
    interface(1, [("127.0.0.1", 104), ("::1", 128)], isLocalNetwork: false),
    interface(2, [("10.0.0.5", 120), ("fe80::5", 64), ("2001:db8::5", 64)]),
    interface(3, [("192.168.1.5", 120)]),
    interface(4, [("10.8.0.1", 120), ("fe80::8", 64)], isLocalNetwork: false),
    interface(5, [("172.16.0.1", 96)]),
  ])

  @Test(arguments: [
    ("10.0.0.77", true), ("192.168.1.1", true), ("10.0.1.77", false), ("8.8.8.8", false), ("127.0.0.1", false),
    ("10.8.0.2", false), ("fe80::9%2", true), ("fe80::9", false), ("2001:db8::9", false), ("::1", false),
    ("239.255.112.50", false), ("172.16.0.2", false),
  ])
  func `only queries from networks of this machine are accepted`(text: String, isHeard: Bool) {
    #expect(networks.hold(Endpoint(numericHost: text, port: 40_000)!) == isHeard)
    #expect(!networks.hold(Endpoint(numericHost: text, port: 0)!))
  }

  @Test(arguments: [
    ("::", [2, 3, 5], [2]), ("0.0.0.0", [2, 3, 5], []), ("10.0.0.5", [2], []), ("192.168.1.5", [3], []),
    ("fe80::5%2", [], [2]), ("fe80::5%3", [], []), ("2001:db8::5", [], []), ("127.0.0.1", [], []),
  ])
  func `a node answers with the address of its listener`(listener: String, ipv4: [UInt32], ipv6: [UInt32]) {
    let address = Endpoint(numericHost: listener, port: 9_800)!
    #expect(networks.interfaces(isIPv4: true, listener: address).map(\.index) == ipv4)
    if !address.isIPv4 { #expect(networks.interfaces(isIPv4: false, listener: address).map(\.index) == ipv6) }
  }

  @Test func `queries go to every network and to no tunnel`() {
    #expect(networks.interfaces(isIPv4: true).map(\.index) == [2, 3, 5])
    #expect(networks.interfaces(isIPv4: false).map(\.index) == [2])
  }
}
