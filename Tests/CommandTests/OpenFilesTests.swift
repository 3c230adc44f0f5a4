// A server with a low limit of open files: it admits only as many connections as fit, and newcomers still get in.
import Posix
import TestSupport
import Testing
import Wire

struct OpenFilesTests {
  private let workbench = Workbench()
  /// A prefix for commands: allows 64 open files, a limit that the command cannot raise.
  private static let few = ["sh", "-c", #"ulimit -n 64 && exec "$0" "$@""#]

  @Test func `strangers that hold all connections of a server with few descriptors do not block a newcomer`() throws {
    let folder = try workbench.makeFolder("served")
    let path = try workbench.makeFile("served/data.bin", byteCount: 100_000)
    let served = try workbench.serve(folder, through: OpenFilesTests.few)
    let address = try #require(HostPort(parsing: served.address)?.address)
    // The server refuses some of them.
    let held = (0..<80).map { _ in try? ScriptedPeer(dialling: address, from: .loopback(0, last: 2)) }
    let get = try workbench.run("get", try served.fileID("data.bin"), "--peer", served.address, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    #expect(!served.child.stderr.text.contains("cannot accept"), "\(served.child)")
    withExtendedLifetime(held) {}
  }

  @Test(arguments: [64, 256, 1_024])
  func `serve warns if it can admit fewer connections than the default, and names the remedy`(limit: Int) throws {
    let folder = try workbench.makeFolder("served")
    let served = try workbench.serve(folder, through: ["sh", "-c", #"ulimit -n \#(limit) && exec "$0" "$@""#])
    let line = try workbench.line(of: served.child, with: "max-connections 1024 (default)")
    #expect(line.contains("the limit of \(limit) open files has room for") && line.contains("raise it"), "\(line)")
  }

  @Test func `serve admits fewer connections than requested if descriptors are few, and names the remedy`() throws {
    let folder = try workbench.makeFolder("served")
    let served = try workbench.serve(folder, "--max-connections", "5000", through: OpenFilesTests.few)
    let line = try workbench.line(of: served.child, with: "max-connections 5000 (--max-connections)")
    #expect(line.contains("the limit of 64 open files has room for") && line.contains("raise it (ulimit -n"), "\(line)")
  }
}
