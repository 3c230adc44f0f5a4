// Peers that are absent, lack the file, or are not p2pnodes: `get` ends with 69 and says which peer had which fault.
import Foundation
import Testing

struct PeerFailureTests {
  private let workbench = Workbench()
  private static let fileID = String(repeating: "ab", count: 32)

  @Test func `get exits with 69 for a closed port, with the system's reason`() throws {
    let address = "127.0.0.1:\(try LocalPort.closed())"
    let get = try workbench.run("get", PeerFailureTests.fileID, "--peer", address)
    #expect(get.code == 69, "\(get)")
    let reason = "p2pnode: no peer can be reached (\(address): Connection refused)"
    #expect(get.stderr.lines.last?.hasPrefix(reason + "; check that ") == true, "\(get)")
    #expect(get.stdout.bytes.isEmpty)
    // Its state folders may stay.
    let left = try FileManager.default.contentsOfDirectory(atPath: workbench.folder).filter { !$0.hasPrefix("home-") }
    #expect(left == [], "it left something")
  }

  @Test func `get exits with 69 for a host without an address and names the host`() throws {
    let get = try workbench.run("get", PeerFailureTests.fileID, "--peer", "name.invalid:9800")
    #expect(get.code == 69, "\(get)")
    #expect(get.stderr.lines.last?.contains("name.invalid:9800: ") == true, "\(get)")
  }

  @Test func `get exits with 69 and says so if the peer lacks the file`() throws {
    let served = try workbench.serveFile(byteCount: 1_000).served
    let get = try workbench.run("get", PeerFailureTests.fileID, "--peer", served.address)
    #expect(get.code == 69, "\(get)")
    #expect(get.stderr.lines.last?.hasPrefix("p2pnode: no peer has \(PeerFailureTests.fileID)") == true, "\(get)")
  }

  @Test(arguments: [Impostor.Manner.http, .echo, .ssh])
  func `get exits with 69 and says so if the address is not a p2pnode`(manner: Impostor.Manner) throws {
    let impostor = try workbench.impostor(manner)
    let get = try workbench.run("get", PeerFailureTests.fileID, "--peer", impostor.address)
    #expect(get.code == 69, "\(get)")
    let last = try #require(get.stderr.lines.last)
    #expect(last.contains("\(impostor.address): what answers there"), "\(get)")
  }

  @Test func `the silence of a private node and of a stranger look the same, and get names both causes`() throws {
    let impostor = try workbench.impostor(.silent)
    let get = try workbench.run("get", PeerFailureTests.fileID, "--peer", impostor.address)
    #expect(get.code == 77, "\(get)")
    #expect(
      get.stderr.lines.last?.contains("it belongs to a private swarm whose key this node lacks, or it is not a p2pnode")
        == true, "\(get)")
  }

  @Test func `one good peer among bad ones is enough`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 200_000)
    let other = try workbench.serveFile(byteCount: 100, seed: 2, folder: "other").served
    let impostor = try workbench.impostor(.http)
    let get = try workbench.run(
      "get", fileID, "--peer", "127.0.0.1:\(try LocalPort.closed())", "--peer", impostor.address, "--peer",
      other.address, "--peer", "name.invalid:1", "--peer", served.address, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `a host name stands for all its addresses`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let port = try #require(served.address.split(separator: ":").last)
    let get = try workbench.run("get", fileID, "--peer", "localhost:\(port)", "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }
}
