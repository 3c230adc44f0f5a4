// Host names of peers, with the system's resolver and a hosts file that only the command sees.
import Foundation
import Testing

struct NamesTests {
  private let workbench = Workbench()

  /// Returns a prefix for commands: replaces the system's hosts file.
  private static func withHosts(_ path: String) -> [String] {
    (geteuid() == 0 ? ["unshare", "--mount"] : ["unshare", "--map-root-user", "--mount"])
      + ["sh", "-c", #"mount --bind "$0" /etc/hosts && exec "$@""#, path]
  }

  @Test(.enabled(if: Privileges.canMount))
  func `get uses a host name's new address while it runs`() throws {
    let (one, fileID, path) = try workbench.serveFile(byteCount: 24 << 20, "--upload-limit", "2Mi", folder: "one")
    let port = try #require(one.address.split(separator: ":").last)
    // A second node on the same port, like a second replica of a service.
    let other = try workbench.start(["serve", workbench.path("one"), "--listen", "127.0.0.2:\(port)"])
    let listening = try workbench.line(of: other, with: "listening on 127.0.0.2:\(port)")
    try workbench.line(of: other, "'ready'") { $0.hasPrefix("ready: ") }
    let hosts = try workbench.makeFile("hosts", Array("127.0.0.1 seed\n".utf8))
    let get = try workbench.start(
      ["get", fileID, "--peer", "seed:\(port)", "-o", "out.bin"], through: NamesTests.withHosts(hosts))
    try workbench.line(of: get, with: "Chunk 1/24")
    let file = try #require(FileHandle(forWritingAtPath: hosts))
    try file.seekToEnd()
    try file.write(contentsOf: Data("127.0.0.2 seed\n".utf8))
    try file.close()
    try workbench.line(of: get, with: "[Downloader] Peer seed:\(port) is 127.0.0.2:\(port)")
    try workbench.ended(get)
    #expect(get.code == 0, "\(get)")
    let peerID = try #require(listening.split(separator: " ").last)
    #expect(get.stderr.text.contains("from \(peerID.prefix(8)) in"), "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test(.enabled(if: Privileges.canMount))
  func `get waits for a host name that resolves a moment later`() throws {
    let (served, fileID, path) = try workbench.serveFile(byteCount: 1_000)
    let port = try #require(served.address.split(separator: ":").last)
    let hosts = try workbench.makeFile("hosts", Array("127.0.0.1 localhost\n".utf8))
    let get = try workbench.start(
      ["get", fileID, "--peer", "seed.invalid:\(port)", "-o", "out.bin"], through: NamesTests.withHosts(hosts))
    try workbench.line(of: get, with: "the name is looked up again")
    try Data("127.0.0.1 seed.invalid\n".utf8).write(to: URL(fileURLWithPath: hosts))
    try workbench.ended(get)
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }
}
