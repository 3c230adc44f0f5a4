// The PeerID of `send`: the same for the same paths, and never that of another node that runs.
import Foundation
import Testing

struct SendIdentityTests {
  private let workbench = Workbench()

  /// Returns the PeerID in the printed line of a `send` with this home.
  private func peer(of path: String, home: String) throws -> String {
    var environment = ProcessInfo.processInfo.environment
    environment["P2PNODE_HOME"] = home
    environment["P2PNODE_LAN"] = "off"
    let child = try workbench.start(
      try Binary.path(), ["send", path, "--listen", "127.0.0.1:0"], environment: environment)
    let line = try workbench.line(of: child, on: .stdout, with: "p2pnode get p2pnode:")
    child.signal(SIGTERM)
    #expect(try workbench.ended(child).code == 0, "\(child)")
    let match = try #require(line.firstMatch(of: #/peer=([0-9a-f]{64})@/#))
    return String(match.1)
  }

  @Test func `send keeps its PeerID for the same paths and has another one for others`() throws {
    let home = try workbench.makeFolder("home")
    try workbench.makeFile("one", byteCount: 1_000)
    try workbench.makeFile("two", byteCount: 1_000)
    let first = try peer(of: "one", home: home)
    #expect(try peer(of: workbench.path("one"), home: home) == first)
    #expect(try peer(of: "two", home: home) != first)
    #expect(try peer(of: "one", home: try workbench.makeFolder("other home")) != first)
  }

  @Test func `of two sends of the same paths at a time the second has another PeerID, and says so`() throws {
    let home = try workbench.makeFolder("home")
    try workbench.makeFile("one", byteCount: 1_000)
    var environment = ProcessInfo.processInfo.environment
    environment.merge(["P2PNODE_HOME": home, "P2PNODE_LAN": "off"]) { $1 }
    var children: [(child: Child, peer: String)] = []
    for _ in 0..<2 {
      let child = try workbench.start(
        try Binary.path(), ["send", "one", "--listen", "127.0.0.1:0"], environment: environment)
      let line = try workbench.line(of: child, on: .stdout, with: "p2pnode get p2pnode:")
      children.append((child, String(try #require(line.firstMatch(of: #/peer=([0-9a-f]{64})@/#)).1)))
    }
    #expect(children[0].peer != children[1].peer)
    let words = "another 'p2pnode send' of the same paths runs"
    #expect(!children[0].child.stderr.text.contains(words), "\(children[0].child)")
    #expect(children[1].child.stderr.text.contains(words), "\(children[1].child)")
    for (child, _) in children {
      child.signal(SIGTERM)
      try workbench.ended(child)
    }
    #expect(try peer(of: "one", home: home) == children[0].peer, "the lock goes with its process")
  }
}
