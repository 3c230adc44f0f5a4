// `get -o -` writes a folder, or a part of it, to stdout as a tar archive that the system's tar can read.
import Foundation
import Testing

@Suite struct FolderStreamTests {
  private let workbench = Workbench()

  private func serve(_ tree: Tree) throws -> (served: Served, id: String) {
    try tree.write(to: workbench.path("served/tree"))
    let served = try workbench.serve(workbench.path("served"))
    guard let id = served.folderIDs["tree/"] else { throw Unexpected("the folder is not served: \(served.child)") }
    return (served, id)
  }

  private func get(_ from: (served: Served, id: String), _ options: [String]) throws -> Child {
    try workbench.ended(
      try workbench.start(["get", from.id, "--peer", from.served.address, "-o", "-", "--quiet"] + options))
  }

  /// Unpacks an archive with the system's tar.
  private func unpacked(_ archive: [UInt8], as name: String) throws -> Tree {
    let path = try workbench.makeFile("\(name).tar", archive)
    let folder = try workbench.makeFolder(name)
    let tar = try workbench.ended(
      try workbench.start("/bin/sh", ["-c", #"tar xf "$0" -C "$1""#, path, folder]))
    #expect(tar.code == 0 && tar.stderr.bytes.isEmpty, "\(tar)")
    return try Tree(at: folder)
  }

  /// Returns the number of bytes that a server sent, from its last line.
  private func uploaded(_ served: Served) throws -> Int {
    served.child.signal(SIGTERM)
    try workbench.ended(served.child)
    for line in served.child.stderr.lines {
      if let match = line.wholeMatch(of: #/uploaded: (\d+) bytes/#) { return Int(match.1)! }
    }
    throw Unexpected("it does not say what it sent: \(served.child)")
  }

  @Test(arguments: [
    [], ["--include", "small"], ["--exclude", "middle", "--exclude", "large.bin"],
    // Files that share chunks with excluded files.
    ["--include", "small/1", "--exclude", "small/1/?1"], ["--exclude", "small/*/*0"],
    // Entries without bytes.
    ["--include", "void", "--include", "dangling", "--include", "empty"],
    ["--include", "middle/2", "--include", "void/in", "--include", "small/link", "--include", "run.sh"],
    ["--include", "large.bin"],
  ])
  func `tar unpacks the files that the filter includes and no others`(options: [String]) throws {
    let tree = Tree.sample(largeBytes: 5 << 19)
    let from = try serve(tree)
    // The same part of the folder, fetched into a folder.
    let whole = try workbench.ended(
      try workbench.start(["get", from.id, "--peer", from.served.address, "-o", "copy"] + options))
    #expect(whole.code == 0, "\(whole)")
    let wanted = try Tree(at: workbench.path("copy"))
    let stream = try get(from, options)
    #expect(stream.code == 0, "it ended with \(String(describing: stream.code)): \(stream.stderr)")
    let found = try unpacked(stream.stdout.bytes, as: "unpacked")
    #expect(Set(found.items.keys) == Set(wanted.items.keys) && !wanted.items.isEmpty)
    // Compare first: a failed expectation would print all bytes.
    let isSame = found == wanted
    #expect(isSame)
    if options.isEmpty { #expect(found.items.count == tree.items.count) }
  }

  @Test func `a folder whose listing is kept is streamed when a peer comes later`() throws {
    let tree = Tree.sample(largeBytes: 1 << 20)
    let from = try serve(tree)
    // Both commands have one state folder, so the second one finds the listing there.
    func start(_ options: String...) throws -> Child {
      try workbench.start(
        ["get", from.id, "--peer", from.served.address, "-o", "-"] + options,
        through: ["/usr/bin/env", "P2PNODE_HOME=\(workbench.path("home"))"])
    }
    #expect(try workbench.ended(start()).code == 0)
    from.served.child.signal(SIGTERM)
    try workbench.ended(from.served.child)
    let stream = try start("--wait", "forever")
    try workbench.line(of: stream, with: "fetching its listing")
    try workbench.line(of: stream, with: "Waiting for a peer")
    _ = try workbench.serve(workbench.path("served"), at: from.served.address)
    #expect(try workbench.ended(stream).code == 0, "\(stream.stderr)")
    let isSame = try unpacked(stream.stdout.bytes, as: "unpacked") == tree
    #expect(isSame)
  }

  @Test func `only wanted bytes cross the wire`() throws {
    let tree = Tree.sample(largeBytes: 3 << 20)
    let from = try serve(tree)
    let stream = try get(from, ["--include", "middle/3", "--include", "small/2"])
    #expect(stream.code == 0, "\(stream.stderr)")
    let found = try unpacked(stream.stdout.bytes, as: "unpacked")
    #expect(found.items.keys.allSatisfy { $0 == "middle/3" || $0.hasPrefix("small/2/") } && found.items.count == 25)
    // A server may also send the listing, and gaps within requests, which are at most as long as the wanted bytes.
    let smallBytes = tree.items.filter { $0.key.hasPrefix("small/") }.reduce(0) {
      $0 + Tree([$1.key: $1.value]).byteCount
    }
    let most = Tree(tree.items.filter { $0.key == "middle/3" }).byteCount + smallBytes + 60_000
    let sent = try uploaded(from.served)
    #expect(sent >= found.byteCount && sent <= most, "\(sent) bytes, wanted are \(found.byteCount)")
  }

  @Test func `wanted files far apart pass through the window of a stream`() throws {
    // Any two of these files are more than two windows apart.
    var items: [String: Tree.Item] = [:]
    for name in ["a", "c", "e"] { items[name] = .file(Data(repeating: UInt8(name.utf8.first!), count: 3 << 20)) }
    for name in ["b", "d"] { items[name] = .file(Data(repeating: UInt8(name.utf8.first!), count: 34 << 20)) }
    let from = try serve(Tree(items))
    let stream = try get(from, ["--exclude", "b", "--exclude", "d"])
    #expect(stream.code == 0, "\(stream.stderr)")
    let isSame = try unpacked(stream.stdout.bytes, as: "unpacked") == Tree(items.filter { "ace".contains($0.key) })
    #expect(isSame)
    let sent = try uploaded(from.served)
    #expect(sent >= 9 << 20 && sent < (9 << 20) + 100_000, "\(sent) bytes")
  }

  @Test func `get exits with 64 if its patterns match nothing, and stdout stays empty`() throws {
    let from = try serve(Tree.sample(largeBytes: 1_000))
    let stream = try get(from, ["--include", "nothing/like/this"])
    #expect(stream.code == 64 && stream.stdout.bytes.isEmpty, "\(stream)")
    #expect(stream.stderr.text.contains("--include"), "\(stream)")
  }

  @Test(arguments: [["--exclude", "middle"], ["--include", "void", "--include", "link"]])
  func `get exits with 74 if the reader of a streamed part of a folder goes`(options: [String]) throws {
    let from = try serve(Tree.sample(largeBytes: 1 << 20))
    let arguments = ["get", from.id, "--peer", from.served.address, "-o", "-", "--quiet"] + options
    // A pipe without a reader from the start.
    let closed = #"mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; exec "$@" >&4"#
    let get = try workbench.ended(try workbench.start(arguments, through: ["/bin/bash", "-c", closed, "bash"]))
    #expect(get.code == 74, "\(get)")
    #expect(get.stderr.lines.count == 1 && get.stderr.text.contains("nothing is kept"), "\(get)")
  }
}
