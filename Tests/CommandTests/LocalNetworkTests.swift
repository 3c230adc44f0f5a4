// Two machines on one wire without any addresses: allowed peers find each other, and others receive no answer.
import Foundation
import Testing

@Suite(.enabled(if: Namespace.isPossible))
struct LocalNetworkTests {
  private let workbench = Workbench()

  /// Serves `data.bin` in a namespace. No addresses are given.
  private func serve(
    in namespace: Namespace, _ options: String..., environment: [String] = []
  ) throws -> (child: Child, fileID: String, path: String) {
    let folder = try workbench.makeFolder("served")
    let path = try workbench.makeFile("served/data.bin", byteCount: 3_000_000)
    let child = try workbench.start(["serve", folder] + options, through: namespace.inside + environment)
    try workbench.line(of: child, "'ready'") { $0.hasPrefix("ready: ") }
    return (child, String(child.stdout.lines[0].prefix(64)), path)
  }

  private func get(_ fileID: String, in namespace: Namespace, _ options: String...) throws -> Child {
    try workbench.ended(try workbench.start(["get", fileID, "-o", "out.bin"] + options, through: namespace.inside))
  }

  @Test(arguments: [[Namespace.Family.ipv4], [.ipv6], [.ipv4, .ipv6]])
  func `get finds a file without an address`(families: [Namespace.Family]) throws {
    let (one, other) = try workbench.namespaces(joinedBy: families)
    let (_, fileID, path) = try serve(in: one)
    let get = try get(fileID, in: other)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get finds a listener with IPv4 only over IPv4`() throws {
    let (one, other) = try workbench.namespaces(joinedBy: [.ipv4, .ipv6])
    let (_, fileID, path) = try serve(in: one, "--listen", "10.77.0.1:0")
    let get = try get(fileID, in: other)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get finds a source that starts a little later`() throws {
    let (one, other) = try workbench.namespaces(joinedBy: [.ipv4])
    let path = try workbench.makeFile("same.bin", byteCount: 3_000_000)
    let id = try workbench.run("id", path)
    let get = try workbench.start(
      ["get", String(id.stdout.text.prefix(64)), "-o", "out.bin"], through: other.inside)
    _ = try serve(in: one)
    try workbench.ended(get)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get does not find a node that turned discovery off`() throws {
    let (one, other) = try workbench.namespaces(joinedBy: [.ipv4, .ipv6])
    let folder = try workbench.makeFolder("hidden")
    try workbench.makeFile("hidden/data.bin", byteCount: 1_000)
    var fileID = ""
    for (options, environment) in [
      (["--no-lan"], []), ([], ["env", "P2PNODE_LAN=off"]), (["--listen", "127.0.0.1:0"], []),
    ] {
      let child = try workbench.start(["serve", folder] + options, through: one.inside + environment)
      try workbench.line(of: child, "'ready'") { $0.hasPrefix("ready: ") }
      fileID = String(child.stdout.lines[0].prefix(64))
      child.signal(SIGSTOP)  // its port is still taken
      child.signal(SIGCONT)
      let get = try get(fileID, in: other)
      #expect(get.code == 69, "\(options) \(environment): \(get)")
      #expect(get.stderr.text.contains("the local network (wire) was asked"), "\(get)")
      child.signal(SIGTERM)
      try workbench.ended(child)
    }
    let deaf = try get(fileID, in: other, "--no-lan")
    #expect(deaf.code == 69, "\(deaf)")
    #expect(deaf.stderr.text.contains("no peer is known"), "\(deaf)")
  }

  @Test func `a private swarm answers its members alone`() throws {
    let (one, other) = try workbench.namespaces(joinedBy: [.ipv4, .ipv6])
    let key = workbench.path("swarm.key")
    #expect(try workbench.run("keygen", key).code == 0)
    let (child, fileID, path) = try serve(in: one, "--swarm-key", key, "--verbose")
    let outsider = try get(fileID, in: other)
    #expect(outsider.code == 69, "\(outsider)")
    #expect(!child.stderr.text.contains("connected"), "the outsider was told where it is: \(child)")
    let member = try get(fileID, in: other, "--swarm-key", key)
    #expect(member.code == 0, "\(member)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `garbage of every length changes nothing`() throws {
    let (one, other) = try workbench.namespaces(joinedBy: [.ipv4])
    let (child, fileID, path) = try serve(in: one)
    // Random bytes, and queries that are too short or too long.
    let script = """
      for ((n = 0; n <= 600; n++)); do
        head -c $n /dev/urandom >/dev/udp/239.255.112.50/9800
        { printf 'p2pnode\\x01\\x01'; head -c 600 /dev/zero; } | head -c $n >/dev/udp/239.255.112.50/9800
      done
      """
    try workbench.must(other, "ip", "route", "add", "239.0.0.0/8", "dev", "wire")
    try workbench.must(other, "bash", "-c", script)
    let get = try get(fileID, in: other)
    #expect(get.code == 0, "\(get)")
    #expect(child.code == nil, "\(child)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `serve may take another port than the default, unless the user named one`() throws {
    let (one, other) = try workbench.namespaces(joinedBy: [.ipv4])
    let (first, fileID, _) = try serve(in: one)
    #expect(first.stderr.lines.contains { $0.hasPrefix("listening on [::]:9800 as ") }, "\(first)")
    let folder = try workbench.makeFolder("served")
    let second = try workbench.start(["serve", folder], through: one.inside)
    let listening = try workbench.line(of: second, "'ready'") { $0.hasPrefix("ready: ") || $0.hasPrefix("p2pnode: ") }
    #expect(listening.hasPrefix("ready: "), "\(second)")
    #expect(second.stderr.lines.contains("warning: port 9800 is in use; listening on any free one"), "\(second)")
    for options in [["--listen", "[::]:9800"], ["--no-lan"]] {
      let refused = try workbench.ended(try workbench.start(["serve", folder] + options, through: one.inside))
      #expect(refused.code == 74, "\(refused)")
    }
    let get = try get(fileID, in: other, "--verbose")
    #expect(get.code == 0, "\(get)")
  }
}
