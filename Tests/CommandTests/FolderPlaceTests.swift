// Where `get` puts a folder, and what it does if the folder exists.
import Foundation
import Testing

@Suite struct FolderPlaceTests {
  private let workbench = Workbench()
  private let tree: [String: [UInt8]] = ["a": [1], "sub/b": Array(repeating: 7, count: 40_000), "sub/c": [3, 3]]

  private func serve() throws -> (served: Served, id: String) {
    try workbench.write(tree, in: "served/tree")
    let served = try workbench.serve(workbench.path("served"))
    guard let id = served.folderIDs["tree/"] else { throw Unexpected("the folder is not served: \(served.child)") }
    return (served, id)
  }

  private func get(_ from: (served: Served, id: String), _ options: String...) throws -> Child {
    try workbench.ended(try workbench.start(["get", from.id, "--peer", from.served.address] + options))
  }

  @Test func `the same command run twice finds the folder in place, also without a peer`() throws {
    let from = try serve()
    var environment = ProcessInfo.processInfo.environment
    (environment["P2PNODE_HOME"], environment["P2PNODE_LAN"]) = (workbench.path("home"), "off")
    environment["P2PNODE_PEERS"] = nil
    func get(_ options: [String]) throws -> Child {
      let arguments = ["get", from.id, "-o", "copy", "--listen", "127.0.0.1:0"] + options
      return try workbench.ended(try workbench.start(try Binary.path(), arguments, environment: environment))
    }
    let first = try get(["--peer", from.served.address])
    #expect(first.code == 0 && first.stdout.lines == ["./copy"], "\(first)")
    let second = try get(["--peer", from.served.address])
    #expect(second.code == 0 && second.stdout.lines == ["./copy"], "\(second)")
    #expect(second.stderr.text.contains("Already complete: ./copy"), "\(second)")
    #expect(try workbench.files(in: "copy") == tree)
    from.served.child.signal(SIGTERM)
    try workbench.ended(from.served.child)
    let third = try get([])
    #expect(third.code == 0, "\(third)")
    #expect(try workbench.files(in: "copy") == tree)
  }

  @Test func `get -o DIR/ puts the folder into DIR, and get -o DIR makes DIR the folder`() throws {
    let from = try serve()
    _ = try workbench.makeFolder("empty")
    _ = try workbench.makeFolder("outer")
    let itself = try get(from, "-o", "empty")
    #expect(itself.code == 0 && itself.stdout.lines == ["./empty"], "\(itself)")
    #expect(try workbench.files(in: "empty") == tree)
    for _ in 0..<2 {
      let inside = try get(from, "-o", "outer/")
      #expect(inside.code == 0 && inside.stdout.lines == ["outer/tree"], "\(inside)")
      #expect(try workbench.files(in: "outer") == Dictionary(uniqueKeysWithValues: tree.map { ("tree/\($0)", $1) }))
    }
  }

  @Test func `get completes a folder that has a part of the version`() throws {
    let from = try serve()
    let part = try get(from, "-o", "copy", "--include", "a")
    #expect(part.code == 0, "\(part)")
    #expect(try workbench.files(in: "copy") == ["a": [1]])
    let rest = try get(from, "-o", "copy")
    #expect(rest.code == 0, "\(rest)")
    #expect(try workbench.files(in: "copy") == tree)
  }

  @Test func `a folder with the complete version and other names is accepted`() throws {
    let from = try serve()
    try workbench.write(tree.merging(["own": [9]]) { $1 }, in: "copy")
    let get = try get(from, "-o", "copy")
    #expect(get.code == 0 && get.stderr.text.contains("Already complete"), "\(get)")
    #expect(try workbench.files(in: "copy") == tree.merging(["own": [9]]) { $1 })
  }

  @Test(
    arguments: [
      (["a": [2]], "a in it differs from this version"),
      (["own": [9]], "contains own, which this version does not have"),
      (["sub": [1]], "sub in it differs from this version"), (["a/own": [1]], "a in it differs from this version"),
    ] as [([String: [UInt8]], String)])
  func `get exits with 73 if a folder holds anything else and keeps it`(held: [String: [UInt8]], words: String) throws {
    let from = try serve()
    try workbench.write(held, in: "copy")
    for options in [[], ["--force"], ["--dry-run"]] {
      let get = try workbench.ended(
        try workbench.start(["get", from.id, "--peer", from.served.address, "-o", "copy"] + options))
      #expect(get.code == 73, "\(get)")
      let said = get.stderr.text
      #expect(said.contains(words) && said.contains("--update") && said.contains("add a / to PATH"), "\(get)")
      #expect(try workbench.files(in: "copy") == held)
    }
  }

  @Test func `a suggested name adds nothing to an existing folder`() throws {
    let from = try serve()
    let place = try workbench.makeFolder("place")
    try workbench.write(["a": [1]], in: "place/tree")
    let arguments = ["get", from.id, "--peer", from.served.address]
    let refused = try workbench.ended(try workbench.start(arguments, in: place))
    #expect(refused.code == 73 && refused.stderr.text.contains("does not contain sub/b of this version"), "\(refused)")
    #expect(try workbench.files(in: "place") == ["tree/a": [1]])
    try workbench.write(tree, in: "place/tree")
    let here = try workbench.ended(try workbench.start(arguments, in: place))
    #expect(here.code == 0 && here.stderr.text.contains("Already complete: ./tree"), "\(here)")
    #expect(try workbench.files(in: "place") == Dictionary(uniqueKeysWithValues: tree.map { ("tree/\($0)", $1) }))
  }

  @Test func `an update that changes nothing reports that the folder is in place`() throws {
    let from = try serve()
    try workbench.write(tree, in: "copy")
    let update = try get(from, "-o", "copy", "--update", "--json")
    #expect(update.code == 0, "\(update)")
    #expect(update.stdout.lines.last?.contains(#""found":true"#) == true, "\(update)")
  }

  @Test(.enabled(if: Trace.isHere, "strace is not here"), arguments: [1, 2, 3])
  func `after a kill during filling an empty folder, the next get completes it`(number: Int) throws {
    let from = try serve()
    _ = try workbench.makeFolder("copy")
    let arguments = ["get", from.id, "--peer", from.served.address, "-o", "copy", "--quiet"]
    let killed = try workbench.ended(
      try workbench.start(arguments, through: Trace.killing(at: "renameat2", number: number)))
    #expect(killed.code != 0, "\(killed)")
    for (path, bytes) in try workbench.files(in: "copy") where !path.contains(".p2p-part") {
      #expect(tree[path] == bytes)
    }
    let next = try workbench.ended(try workbench.start(arguments))
    #expect(next.code == 0, "\(next)")
    #expect(try workbench.files(in: "copy") == tree)
  }
}
