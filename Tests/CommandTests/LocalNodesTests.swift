// Two processes of one user on one machine find each other without addresses and without multicast.
import Foundation
import Testing

struct LocalNodesTests {
  private let workbench = Workbench()

  /// A prefix for commands: a home that all commands of this test share.
  private var together: [String] { ["env", "P2PNODE_HOME=\(workbench.path("common"))"] }
  private var nodes: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: workbench.path("common/run"))) ?? []).sorted()
  }

  private func serve() throws -> (served: Served, fileID: String, path: String) {
    let folder = try workbench.makeFolder("served")
    let path = try workbench.makeFile("served/data.bin", byteCount: 3_000_000)
    let served = try workbench.serve(folder, through: together)
    return (served, try served.fileID("data.bin"), path)
  }

  private func get(_ fileID: String, _ options: String...) throws -> Child {
    try workbench.ended(try workbench.start(["get", fileID, "-o", "out.bin"] + options, through: together))
  }

  @Test func `get finds a file without an address`() throws {
    let (served, fileID, path) = try serve()
    #expect(nodes.count == 1)
    let get = try get(fileID, "--verbose")
    #expect(get.code == 0, "\(get)")
    #expect(get.stderr.text.contains("from \(served.shortPeerID)"), "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    served.child.signal(SIGTERM)
    try workbench.ended(served.child)
    #expect(nodes == [], "it left its name")
  }

  @Test func `a killed node is forgotten`() throws {
    let (served, fileID, _) = try serve()
    served.child.signal(SIGKILL)
    try workbench.ended(served.child)
    #expect(nodes.count == 1)
    let get = try get(fileID)
    #expect(get.code == 69, "\(get)")
    let search = "no other node of this user runs on this machine, and the search on the local network is off"
    #expect(get.stderr.text.contains(search), "\(get)")
    #expect(nodes == [])
  }

  @Test func `get does not find a node of another user or with discovery off`() throws {
    let (_, fileID, _) = try serve()
    let elsewhere = try workbench.run("get", fileID, "-o", "out.bin")
    #expect(elsewhere.code == 69, "\(elsewhere)")
    let deaf = try get(fileID, "--no-lan")
    #expect(deaf.code == 69, "\(deaf)")
    #expect(deaf.stderr.text.contains("no peer is known"), "\(deaf)")
    let folder = try workbench.makeFolder("hidden")
    let hidden = try workbench.serve(folder, "--no-lan", through: together)
    #expect(nodes.count == 1, "\(hidden.child)")
  }

  @Test func `a local node helps if the named peer is not there`() throws {
    let (_, fileID, path) = try serve()
    let closed = "127.0.0.1:\(try LocalPort.closed())"
    let get = try get(fileID, "--peer", closed)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `a wrong hint does not keep get from the named peer`() throws {
    let (served, fileID, path) = try serve()
    // A second entry for the first one's address, with a PeerID that nobody has. Only this test locks it.
    let name = workbench.path("common/run/\(String(repeating: "0", count: 32)).node")
    let parts = served.address.split(separator: ":")
    let text = "p2pnode-node 1\npeer \(String(repeating: "ab", count: 32))\naddress \(parts[0]) \(parts[1])\n"
    try Data(text.utf8).write(to: URL(fileURLWithPath: name))
    for node in nodes where !node.hasPrefix("0000") { unlink(workbench.path("common/run/\(node)")) }
    let descriptor = open(name, O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    let misled = try get(fileID)
    #expect(misled.code == 69, "\(misled)")
    let get = try get(fileID, "--peer", served.address)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `serve does not use a folder that others may enter, and reports it`() throws {
    let folder = try workbench.makeFolder("common/run")
    chmod(folder, 0o755)
    let (served, _, _) = try serve()
    #expect(served.child.stderr.text.contains("warning: other processes of this machine will not find this node"))
    #expect(nodes == [])
  }
}
