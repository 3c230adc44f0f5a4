// Private swarms, pinned peers and ciphers: which peers accept each other, and what both ends print.
import Foundation
import Testing

struct AdmissionTests {
  private let workbench = Workbench()

  private func makeKey(_ name: String) throws -> String {
    let keygen = try workbench.run("keygen", name)
    guard keygen.code == 0 else { throw Unexpected("\(keygen)") }
    return workbench.path(name)
  }

  @Test func `get fetches a file from a private swarm with the swarm's key`() throws {
    let key = try makeKey("swarm.key")
    let (served, fileID, path) = try workbench.serveFile(byteCount: 100_000, "--swarm-key", key)
    let get = try workbench.run("get", fileID, "--peer", served.address, "--swarm-key", key, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get exits with 77 if its swarm key is another swarm's`() throws {
    let served = try workbench.serveFile(byteCount: 1_000, "--swarm-key", try makeKey("one.key"))
    let get = try workbench.run(
      "get", served.fileID, "--peer", served.served.address, "--swarm-key", try makeKey("two.key"))
    #expect(get.code == 77, "\(get)")
    #expect(
      get.stderr.lines.last?.contains("it belongs to a private swarm whose key this node lacks") == true, "\(get)")
  }

  @Test func `get exits with 77 without a key for a private swarm`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000, "--swarm-key", try makeKey("swarm.key"))
    let get = try workbench.run("get", fileID, "--peer", served.address)
    #expect(get.code == 77, "\(get)")
    #expect(
      get.stderr.lines.last?.contains("it belongs to a private swarm whose key this node lacks") == true, "\(get)")
  }

  @Test func `get exits with 77 if it has a swarm key and the node is public, and says so`() throws {
    let (served, fileID, _) = try workbench.serveFile(byteCount: 1_000)
    let get = try workbench.run("get", fileID, "--peer", served.address, "--swarm-key", try makeKey("swarm.key"))
    #expect(get.code == 77, "\(get)")
    #expect(get.stderr.lines.last?.contains("it is a public node, and this one has a --swarm-key") == true, "\(get)")
  }

  @Test func `get accepts a pinned peer that answers`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let get = try workbench.run("get", fileID, "--peer", "\(served.peerID)@\(served.address)", "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get exits with 69 if another peer answers at a pinned address, and reveals no fileID to it`() throws {
    let folder = try workbench.makeFolder("served")
    try workbench.makeFile("served/data.bin", byteCount: 1_000)
    let served = try workbench.serve(folder, "--verbose")
    let pinned = String(repeating: "0", count: 64)
    let get = try workbench.run(
      "get", try served.fileID("data.bin"), "--peer", "\(pinned)@\(served.address)")
    #expect(get.code == 69, "\(get)")
    #expect(get.stderr.lines.last?.contains("its PeerID is \(served.peerID), not \(pinned)") == true, "\(get)")
    try workbench.line(of: served.child, with: "[--------]")
    #expect(!served.child.stderr.text.contains("opens"), "\(served.child)")
  }

  @Test(arguments: ["auto", "aes", "chacha"], ["auto", "aes", "chacha"])
  func `nodes with any two cipher settings can speak`(serving: String, getting: String) throws {
    if !Processor.hasAES && [serving, getting].contains("aes") { try Test.cancel("the processor has no AES") }
    let (served, fileID, path) = try workbench.serveFile(byteCount: 300_000, "--cipher", serving)
    let get = try workbench.run("get", fileID, "--peer", served.address, "--cipher", getting, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test(.enabled(if: Processor.hasAES), arguments: ["aes", "chacha"], ["aes", "chacha"])
  func `in a private swarm nodes with any two cipher settings can speak`(serving: String, getting: String) throws {
    let key = try makeKey("swarm.key")
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000, "--swarm-key", key, "--cipher", serving)
    let get = try workbench.run(
      "get", fileID, "--peer", served.address, "--swarm-key", key, "--cipher", getting, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }
}
