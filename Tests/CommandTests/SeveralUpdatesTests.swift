// `get --update` with several IDs: each folder is updated, and a folder that no peer has stays as it is.
import Foundation
import Testing

@Suite struct SeveralUpdatesTests {
  private let workbench = Workbench()
  private static let names = ["one", "two"]

  /// Serves one version of two folders. Returns their IDs in order.
  private func serve(_ trees: [Tree], _ folder: String) throws -> (served: Served, ids: [String]) {
    for (name, tree) in zip(SeveralUpdatesTests.names, trees) {
      try tree.write(to: workbench.path("\(folder)/\(name)"))
    }
    let served = try workbench.serve(workbench.path(folder))
    return (served, try SeveralUpdatesTests.names.map { try #require(served.folderIDs["\($0)/"], "\(served.child)") })
  }

  private func tree(_ name: String) throws -> Tree { try Tree(at: workbench.path(name)) }

  /// Paths of part folders in or beside the outputs.
  private func parts() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: workbench.path("out")).filter { $0.contains("p2p-part") }
  }

  @Test func `one command updates two folders`() throws {
    let new = [Tree.sample(largeBytes: 2 << 20, seed: 1), Tree.sample(largeBytes: 1 << 20, seed: 50)]
    for (name, tree) in zip(SeveralUpdatesTests.names, new) {
      try tree.older().write(to: workbench.path("out/\(name)"))
    }
    let (served, ids) = try serve(new, "served")
    let get = try workbench.run(
      "get", ids[0], ids[1], "--peer", served.address, "-o", "out", "--update", "--delete", "--quiet")
    #expect(get.code == 0 && get.stderr.bytes.isEmpty, "\(get)")
    #expect(get.stdout.lines.sorted() == ["out/one", "out/two"], "\(get)")
    let areSame = try tree("out/one") == new[0] && tree("out/two") == new[1]
    #expect(areSame)
    #expect(try parts() == [])
  }

  @Test(arguments: [false, true])
  func `a folder that the source no longer has stays as it is, and the other one is updated`(isListed: Bool) throws {
    let old = [Tree.sample(largeBytes: 100_000, seed: 1), Tree.sample(largeBytes: 100_000, seed: 50)]
    var new = old
    for i in new.indices { new[i].items["added"] = .file(Data([UInt8(i)])) }
    let gone = try serve(old, "old")
    gone.served.child.signal(SIGTERM)
    try workbench.ended(gone.served.child)
    let (served, ids) = try serve(new, "new")
    #expect(Set(gone.ids).isDisjoint(with: ids))
    for name in SeveralUpdatesTests.names { try old[0].older().write(to: workbench.path("out/\(name)")) }
    let before = try tree("out/two")
    // With arguments, the folders get the names that their peers suggest. With a list, they get the paths in the list.
    let list = "\(ids[0])\tout/one\n\(gone.ids[1])\tout/two\n"
    let file = try workbench.makeFile("list", Array(list.utf8))
    let wanted = isListed ? ["--input-file", file] : [ids[0], gone.ids[1], "-o", "out"]
    let get = try workbench.ended(
      try workbench.start(["get"] + wanted + ["--peer", served.address, "--update", "--delete", "--quiet"]))
    #expect(get.code == 69, "\(get)")
    #expect(get.stdout.lines.map { $0.hasSuffix("out/one") } == [true], "\(get)")
    #expect(get.stderr.lines.count == 1 && get.stderr.text.contains(gone.ids[1]), "\(get)")
    let isUpdated = try tree("out/one") == new[0]
    let isLeft = try tree("out/two") == before
    #expect(isUpdated && isLeft)
    #expect(try parts() == [])
  }
}
