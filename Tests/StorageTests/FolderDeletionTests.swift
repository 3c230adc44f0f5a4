// What an update deletes, and what it must never delete.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct `An update that deletes` {
  private static let kept = SampleFolder.Item.file([1])

  private func bench(_ items: [String: SampleFolder.Item]) -> UpdateBench {
    var bench = UpdateBench(items.merging(["kept": Self.kept]) { $1 })
    bench.options.deletes = true
    return bench
  }

  private func sample(_ items: [String: SampleFolder.Item] = [:]) throws -> SampleFolder {
    try SampleFolder(items.merging(["kept": Self.kept]) { $1 })
  }

  @Test func `unlisted names are deleted, and the folders that become empty`() throws {
    let bench = bench([
      "old": .file([2]), "a/b/c": .file([3]), "a/b/d": .link("c"), "void/in": .folder, "stays/x": .file([4]),
      "stays/y": .file([5]),
    ])
    let sample = try sample(["stays/x": .file([4])])
    let plan = try bench.plan(sample)
    #expect(plan.total(.deleted).count == 8 && plan.total(.deleted).byteCount == 3)
    try bench.update(sample)
    #expect(bench.items == sample.items)
  }

  @Test func `hidden names stay unless the options delete them too`() throws {
    var bench = bench([".git/x": .file([2]), "a/.env": .file([3]), "a/b": .file([4])])
    try bench.update(sample())
    #expect(bench.items == [".git/x": .file([2]), "a/.env": .file([3]), "kept": Self.kept])
    bench.options.deletesHidden = true
    try bench.update(sample())
    #expect(bench.items == ["kept": Self.kept])
  }

  @Test func `names that the filter excludes stay`() throws {
    var bench = bench(["a/x.log": .file([2]), "a/y": .file([3]), "logs/z": .file([4])])
    bench.options.filter = FolderFilter([
      .init(excluding: PathPattern("*.log")!), .init(excluding: PathPattern("logs")!),
    ])
    try bench.update(sample())
    #expect(bench.items == ["a/x.log": .file([2]), "logs/z": .file([4]), "kept": Self.kept])
  }

  @Test func `listed files that the filter excludes stay`() throws {
    var bench = bench(["a": .file([2]), "b": .file([3])])
    bench.options.filter = FolderFilter([.init(excluding: PathPattern("a")!)])
    try bench.update(sample(["a": .file([9])]))
    #expect(bench.items == ["a": .file([2]), "kept": Self.kept])
  }

  @Test func `names that a listing cannot contain stay`() throws {
    let bench = bench(["out": .link("/etc"), "up": .link("../x"), "in/loop": .link("a/../b")])
    mkfifo(bench.out("in/pipe"), 0o600)
    // A name that is not UTF-8.
    mkdir(bench.out("bad"), 0o755)
    let bytes = bench.out("bad/").utf8.map { CChar(bitPattern: $0) } + [CChar(bitPattern: 0xFF), 0]
    close(open(bytes, O_WRONLY | O_CREAT, 0o644))
    try bench.update(sample())
    #expect(bench.temporary.exists("out/out") && bench.temporary.exists("out/up"))
    #expect(bench.temporary.exists("out/in/loop") && bench.temporary.exists("out/in/pipe"))
    #expect(access(bytes, F_OK) == 0)
  }

  @Test func `a second hard link of a listed file stays`() throws {
    let bench = bench([:])
    link(bench.out("kept"), bench.out("twin"))
    symlink("kept", bench.out("pointer"))
    try bench.update(sample())
    // The symbolic link is not a listed file, and nothing is lost by deleting it.
    #expect(bench.items == ["kept": Self.kept, "twin": Self.kept])
  }

  @Test func `a folder that a listed link points to stays with all its files`() throws {
    let bench = bench(["v2/a/x": .file([2]), "v2/y": .file([3]), "v1/z": .file([4]), "latest": .link("v2")])
    let sample = try sample(["latest": .link("v2")])
    try bench.update(sample)
    #expect(
      bench.items == ["v2/a/x": .file([2]), "v2/y": .file([3]), "latest": .link("v2"), "kept": Self.kept])
  }

  @Test func `a folder that a user's link points to stays if the filter excludes the link`() throws {
    var bench = bench(["store/x": .file([2]), "d": .link("store")])
    bench.options.filter = FolderFilter([.init(excluding: PathPattern("d")!)])
    try bench.update(sample(["d/x": .file([2])]))
    #expect(bench.items == ["store/x": .file([2]), "d": .link("store"), "kept": Self.kept])
  }

  @Test func `a listed path protects the name that it finds on a case-insensitive file system`() throws {
    let bench = bench(["folder/readme": .file([2]), "other": .file([3])])
    let listing = try sample(["Folder/README": .file([9])]).listing
    let folder = OpenFolder(try Directory(bench.output))
    let scan = try #require(try OutputScan(folder) { false })
    let plan = DeletionPlan(listing, scan, bench.options) {
      ListedFiles(listing) { path, _ in try? folder.directory.status(of: path.description.lowercased()) }
    }
    #expect(plan.places.map { scan.names[$0].path.description } == ["other"])
  }

  @Test func `files that are created or replaced after the scan of the output stay`() throws {
    let bench = bench(["old/a": .file([2]), "old/b": .file([3]), "replaced": .file([4])])
    let sample = try sample()
    let update = try bench.begin(sample)
    bench.temporary.write("out/old/new", [5])
    unlink(bench.out("replaced"))
    bench.temporary.write("out/replaced", [6])
    bench.temporary.write("out/old/b", [7])
    try UpdateBench.finish(update)
    #expect(
      bench.items == [
        "old/new": .file([5]), "old/b": .file([7]), "replaced": .file([6]), "kept": Self.kept,
      ])
  }

  @Test func `an update is refused for a folder without any file of the version, unless forced`() throws {
    var bench = UpdateBench(["mine/a": .file([2]), "mine/b": .file([3])])
    bench.options.deletes = true
    let before = bench.items
    #expect(throws: FolderUpdateFault.strangeOutput(path: bench.output).error) { try bench.update(try sample()) }
    bench.options.deletes = false
    #expect(throws: FolderUpdateFault.strangeOutput(path: bench.output).error) { try bench.update(try sample()) }
    #expect(bench.items == before)
    bench.options.deletes = true
    bench.options.acceptsStrangeOutput = true
    try bench.update(sample())
    #expect(bench.items == ["kept": Self.kept])
  }

  @Test func `an update is refused if the version lies in a subfolder of the output, unless forced`() throws {
    let (a, b) = (pattern(9_000, seed: 4), pattern(5_000, seed: 5))
    let sample = try sample(["a/x": .file(a), "c.json": .file(b)])
    let bench = UpdateBench([
      "box/a/x": .file(a), "box/c.json": .file(b), "thesis.txt": .file([8]), "other/y": .file([2]),
    ])
    let before = bench.items
    #expect(throws: FolderUpdateFault.strangeOutput(path: bench.output).error) { try bench.update(sample) }
    #expect(bench.items == before)
    // If everything in a version has another name, it still counts as a version of the same folder.
    let renamed = UpdateBench(["old/z": .file(a), "old.json": .file(b), "notes": .file([8])])
    try renamed.update(sample)
  }

  @Test func `an update that keeps no file and deletes others is refused, unless forced`() throws {
    var bench = UpdateBench(["kept": .file([7, 7]), "mine": .file([3])])
    bench.options.deletes = true
    let before = bench.items
    let fault = FolderUpdateFault.nothingKept(path: bench.output, deletionCount: 1)
    #expect(throws: fault.error) { try bench.update(try sample()) }
    #expect(bench.items == before)
    bench.options.deletes = false
    try bench.update(sample())
    #expect(bench.items == ["kept": Self.kept, "mine": .file([3])])
  }

  @Test func `part files and journals of downloads stay`() throws {
    var bench = bench([".0123456789abcdef.p2p-part": .file([2]), "a/.0123456789abcdef.p2p-journal": .file([3])])
    bench.options.deletesHidden = true
    let before = bench.items
    try bench.update(sample())
    #expect(bench.items == before)
  }

  @Test func `a moved file is deleted at its old path only after it exists at the new one`() throws {
    let bytes = pattern(30_000, seed: 3)
    let bench = bench(["old": .file(bytes)])
    let sample = try sample(["new": .file(bytes)])
    #expect(try bench.update(sample) == 0)
    #expect(bench.items == sample.items)
  }
}
