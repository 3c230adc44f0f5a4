// Peers for all downloads: from the environment, and from a file in the user's configuration.
import Foundation
import Testing

struct StandingPeersTests {
  private let workbench = Workbench()
  private static let fileID = String(repeating: "ab", count: 32)

  /// Runs the command with P2PNODE_PEERS and a peers file, if they are given.
  private func get(_ arguments: [String], variable: String? = nil, file: String? = nil) throws -> Child {
    var before = ["env"]
    if let variable { before.append("P2PNODE_PEERS=\(variable)") }
    if let file {
      let folder = try workbench.makeFolder("home/config")
      try Data(file.utf8).write(to: URL(fileURLWithPath: folder + "/peers"))
      before.append("P2PNODE_HOME=\(workbench.path("home"))")
    }
    return try workbench.ended(try workbench.start(["get"] + arguments, through: before))
  }

  @Test func `get asks the peers in P2PNODE_PEERS`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let nobody = "127.0.0.1:\(try LocalPort.closed())"
    let get = try get([fileID, "-o", "out.bin"], variable: " \(nobody),\n\t\(served.peerID)@\(served.address), ")
    #expect(get.code == 0, "\(get)")
    #expect(get.stderr.text.contains("\(nobody): Connection refused"), "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get asks the peers in the peers file`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let get = try get(
      [fileID, "-o", "out.bin"],
      file: "# our seeds\n\n  127.0.0.1:\(try LocalPort.closed())\r\n\(served.address) # mine")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get asks the peers of all sources, and each one once`() throws {
    let ports = try (0..<3).map { _ in try LocalPort.closed() }.map { "127.0.0.1:\($0)" }
    let get = try get(
      [StandingPeersTests.fileID, "--peer", ports[0]], variable: "\(ports[1]) \(ports[0])", file: "\(ports[2])\n")
    #expect(get.code == 69, "\(get)")
    for port in ports { #expect(get.stderr.lines.count { $0.hasPrefix("[Downloader] Peer \(port): ") } == 1, "\(get)") }
  }

  @Test func `get exits with 64 for a malformed peer and names its place`() throws {
    let variable = try get([StandingPeersTests.fileID], variable: "127.0.0.1:1,::1")
    #expect(variable.code == 64, "\(variable)")
    #expect(
      variable.stderr.text.contains("P2PNODE_PEERS '::1': an IPv6 address needs brackets, such as [::1]"),
      "\(variable)")
    let file = try get([StandingPeersTests.fileID], file: "127.0.0.1:1\n# x\n127.0.0.1:1 127.0.0.1:2\n")
    #expect(file.code == 64, "\(file)")
    #expect(file.stderr.text.contains("/config/peers:3: '127.0.0.1:1 127.0.0.1:2' is not"), "\(file)")
  }

  @Test func `get exits with 66 if the peers file is a folder`() throws {
    _ = try workbench.makeFolder("home/config/peers")
    let get = try workbench.ended(
      try workbench.start(
        ["get", StandingPeersTests.fileID], through: ["env", "P2PNODE_HOME=\(workbench.path("home"))"]))
    #expect(get.code == 66, "\(get)")
  }

  @Test func `a get without peers names all places for them`() throws {
    let get = try get([StandingPeersTests.fileID], file: "# nobody yet\n")
    #expect(get.code == 69, "\(get)")
    for place in ["--peer HOST:PORT", "P2PNODE_PEERS", "/config/peers"] { #expect(get.stderr.text.contains(place)) }
  }
}
