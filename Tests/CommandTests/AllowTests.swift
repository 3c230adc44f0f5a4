// `serve --allow` serves only listed peers; and how users find out their own PeerID.
import Foundation
import Testing

struct AllowTests {
  private let workbench = Workbench()
  private static let nobody = String(repeating: "ab", count: 32)

  private func whoAmI(_ identity: String) throws -> String {
    let child = try workbench.run("whoami", "--identity", identity, "--create")
    guard child.code == 0, let peerID = child.stdout.lines.first else { throw Unexpected("\(child)") }
    return peerID
  }

  @Test func `serve --allow serves listed peers and no others`() throws {
    let peerID = try whoAmI("mine.identity")
    let (served, fileID, path) = try workbench.serveFile(
      byteCount: 100_000, "--allow", AllowTests.nobody, "--allow", "\(AllowTests.nobody),\(peerID.uppercased())",
      "--verbose")
    let mine = try workbench.run(
      "get", fileID, "--peer", served.address, "--identity", "mine.identity", "-o", "out.bin")
    #expect(mine.code == 0, "\(mine)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
    for options in [[], ["--identity", "other.identity"]] {
      let other = try workbench.ended(try workbench.start(["get", fileID, "--peer", served.address] + options))
      #expect(other.code == 77, "\(other)")
      #expect(other.stderr.lines.last?.contains("it serves only the PeerIDs that it lists") == true, "\(other)")
    }
    try workbench.line(of: served.child, with: "closed by us: not allowed")
    let opens = served.child.stderr.lines.filter { $0.contains(" opens ") }
    #expect(opens.count == 1 && opens[0].hasPrefix("[\(peerID.prefix(8))]"), "\(served.child)")
  }

  @Test func `a node that does not admit get does not matter if another one has the file`() throws {
    let (closed, fileID, path) = try workbench.serveFile(byteCount: 1_000, "--allow", AllowTests.nobody)
    let open = try workbench.serve(workbench.path("served"))
    let get = try workbench.run("get", fileID, "--peer", closed.address, "--peer", open.address, "-o", "out.bin")
    #expect(get.code == 0, "\(get)")
    #expect(TestFile.areEqual(path, workbench.path("out.bin")))
  }

  @Test func `get exits with 77 if one peer does not admit it and the others lack the file`() throws {
    let (closed, fileID, _) = try workbench.serveFile(byteCount: 1_000, "--allow", AllowTests.nobody)
    let other = try workbench.serveFile(byteCount: 10, seed: 2, folder: "other").served
    let get = try workbench.run("get", fileID, "--peer", other.address, "--peer", closed.address)
    #expect(get.code == 77, "\(get)")
  }

  @Test(arguments: ["", "abcd", "\(nobody),", "\(nobody) \(nobody)", "\(nobody)0"])
  func `serve exits with 64 if a PeerID of --allow is malformed`(allow: String) throws {
    let serve = try workbench.run("serve", ".", "--listen", "127.0.0.1:0", "--allow", allow)
    #expect(serve.code == 64, "\(serve)")
    #expect(serve.stderr.text.contains("is not a PeerID"), "\(serve)")
  }

  @Test func `whoami prints the PeerID of serve before and while serve runs`() throws {
    let home = ["env", "P2PNODE_HOME=\(workbench.path("home"))"]
    let folder = try workbench.makeFolder("served")
    let before = try workbench.run("whoami", through: home)
    #expect(before.code == 0, "\(before)")
    let served = try workbench.serve(folder, through: home)
    #expect(before.stdout.lines == [served.peerID])
    #expect(try workbench.run("whoami", through: home).stdout.lines == [served.peerID])
  }

  @Test func `whoami makes no key for a mistyped name`() throws {
    let child = try workbench.run("whoami", "--identity", "typo.key")
    #expect(child.code == 66 && child.stderr.text.contains("--create"), "\(child)")
    #expect(!FileManager.default.fileExists(atPath: workbench.path("typo.key")))
  }

  @Test func `whoami --create makes a key for its owner alone and keeps it`() throws {
    let first = try whoAmI("new.identity")
    #expect(first.wholeMatch(of: #/[0-9a-f]{64}/#) != nil)
    #expect(try whoAmI("new.identity") == first)
    let attributes = try FileManager.default.attributesOfItem(atPath: workbench.path("new.identity"))
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    let open = try workbench.makeFile("open.identity", Array(repeating: 7, count: 32), mode: 0o644)
    #expect(try workbench.run("whoami", "--identity", open).code == 66)
  }
}
