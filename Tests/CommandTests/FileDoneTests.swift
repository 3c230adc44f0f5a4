// The files of a folder are reported when they are complete, and can be read at once.
import Foundation
import Testing

struct FileDoneTests {
  private let workbench = Workbench()

  private func done(_ get: Child) throws -> [[String: Any]] { try GetEvents(get).named("fileDone") }

  /// Returns the absolute path of the `place` of an event.
  private func path(_ event: [String: Any]) throws -> String {
    URL(
      fileURLWithPath: try #require(event["place"] as? String), relativeTo: URL(fileURLWithPath: workbench.folder + "/")
    ).path
  }

  /// Serves `tree` with small files and a large one.
  private func serve(_ options: String...) throws -> (served: Served, id: String) {
    _ = try workbench.makeFolder("served/tree/sub")
    for (i, name) in ["a", "sub/b", "z"].enumerated() {
      try workbench.makeFile("served/tree/\(name)", byteCount: 1_000 * (i + 1), seed: UInt64(i))
    }
    try workbench.makeFile("served/tree/empty", byteCount: 0)
    try workbench.makeFile("served/tree/large", byteCount: 3 << 20, seed: 9)
    let served = try workbench.listen(workbench.path("served"), options)
    try workbench.line(of: served.child, "'ready'") { $0.hasPrefix("ready: ") }
    return (served, try #require(served.folderIDs["tree/"]))
  }

  @Test func `a file of a folder can be read while others are fetched`() throws {
    let (served, id) = try serve("--upload-limit", "1Mi")
    let get = try workbench.start(["get", id, "--peer", served.address, "-o", "copy", "--json"])
    try workbench.line(of: get, on: .stdout, with: #""fileDone""#)
    let first = try #require(try done(get).first)
    let name = try #require(first["path"] as? String)
    let place = try path(first)
    #expect(get.code == nil && TestFile.areEqual(place, workbench.path("served/tree/\(name)")), "\(get)")
    try workbench.ended(get)
    #expect(get.code == 0, "\(get)")
    let table = try EventTable()
    let all = try done(get)
    #expect(all.compactMap { $0["path"] as? String }.sorted() == ["a", "large", "sub/b", "z"], "\(get)")
    for event in all {
      #expect(table.difference(of: event) == nil, "\(get)")
      let original = workbench.path("served/tree/\(event["path"] as? String ?? "")")
      #expect(try FileManager.default.attributesOfItem(atPath: original)[.size] as? Int == event["bytes"] as? Int)
    }
    let progress = try #require(try GetEvents(get).named("progress").last)
    #expect(progress["files"] as? Int == 5 && progress["totalFiles"] as? Int == 5, "\(get)")
    #expect(table.difference(of: progress) == nil)
  }

  @Test func `kept and copied files are reported with their paths and counted`() throws {
    let (served, id) = try serve()
    for (from, to) in [("a", "a"), ("z", "moved"), ("large", "large")] {
      _ = try workbench.makeFolder("copy")
      try FileManager.default.copyItem(
        atPath: workbench.path("served/tree/\(from)"), toPath: workbench.path("copy/\(to)"))
    }
    let handle = try #require(FileHandle(forWritingAtPath: workbench.path("copy/large")))
    try handle.write(contentsOf: Data([1, 2, 3]))
    try handle.close()
    let get = try workbench.run("get", id, "--peer", served.address, "-o", "copy", "--update", "--json")
    #expect(get.code == 0, "\(get)")
    let all = try done(get)
    #expect(all.compactMap { $0["path"] as? String }.sorted() == ["a", "large", "sub/b", "z"], "\(get)")
    let places = Dictionary(uniqueKeysWithValues: all.map { ($0["path"] as? String, $0["place"] as? String) })
    #expect(places["a"]??.hasSuffix("/copy/a") == true && places["z"]??.hasSuffix(".p2p-part/tree/z") == true, "\(get)")
    let progress = try #require(try GetEvents(get).named("progress").last)
    #expect(progress["files"] as? Int == 5 && progress["totalFiles"] as? Int == 5, "\(get)")
    // Nothing is fetched, but each file is reported.
    let again = try workbench.run("get", id, "--peer", served.address, "-o", "copy", "--update", "--json")
    #expect(again.code == 0, "\(again)")
    let found = try done(again).compactMap { ($0["place"] as? String)?.components(separatedBy: "/copy/").last }
    #expect(found.sorted() == ["a", "large", "sub/b", "z"], "\(again)")
  }

  @Test func `files that an earlier get completed are reported again`() throws {
    let (served, id) = try serve("--upload-limit", "1Mi")
    let first = try workbench.start(["get", id, "--peer", served.address, "-o", "copy", "--json"])
    for name in ["a", "sub/b", "z"] { try workbench.line(of: first, on: .stdout, with: #""path":"\#(name)""#) }
    first.signal(SIGINT)
    #expect(try workbench.ended(first).code == 130, "\(first)")
    let second = try workbench.run("get", id, "--peer", served.address, "-o", "copy", "--json")
    #expect(second.code == 0, "\(second)")
    #expect(
      try done(second).compactMap { $0["path"] as? String }.sorted() == ["a", "large", "sub/b", "z"], "\(second)")
  }
}
