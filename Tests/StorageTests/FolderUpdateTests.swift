// An output that is updated to another version of its folder: which files are kept, copied, fetched and replaced.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct `An update of a folder` {
  @Test func `only files that differ are fetched`() throws {
    var items: [String: SampleFolder.Item] = ["a/link": .link("0"), "void": .folder, "none": .file([])]
    for i in 0..<40 { items["a/\(i)"] = .file(pattern(100 + i * 700, seed: UInt64(i))) }
    let bench = UpdateBench(items)
    items["a/7"] = .file(pattern(5_000, seed: 90))
    items["b/new"] = .file(pattern(20_000, seed: 91), isExecutable: true)
    items["a/link"] = .link("1")
    items["hollow"] = .folder
    let kept = try Directory(bench.output).status(of: "a/8")
    #expect(try bench.update(SampleFolder(items)) == 25_000)
    #expect(bench.items == items)
    #expect(try Directory(bench.output).status(of: "a/8") == kept)
    #expect(try bench.update(SampleFolder(items)) == 0)
    #expect(bench.items == items)
  }

  @Test func `a renamed file is copied, and so are two files that swap names`() throws {
    let (big, small, other) = (pattern(2 << 20 + 5, seed: 1), pattern(3_000, seed: 2), pattern(3_000, seed: 3))
    let bench = UpdateBench(["old/big": .file(big), "x": .file(small), "y": .file(other)])
    let sample = try SampleFolder(["new/large": .file(big), "x": .file(other), "y": .file(small)])
    #expect(try bench.plan(sample).fetchedByteCount == 0)
    #expect(try bench.update(sample) == 0)
    #expect(bench.items == sample.items.merging(["old/big": .file(big)]) { $1 })
  }

  @Test func `a file with the same root and another length is not copied`() throws {
    // A file of two leaves whose last leaf is one zero byte has the same root as the file without that byte.
    var bench = UpdateBench(["a": .file([1, 2, 3])])
    bench.options.acceptsStrangeOutput = true
    let sample = try SampleFolder(["b": .file([1, 2, 3, 0])])
    #expect(try bench.update(sample) == 4)
    #expect(bench.items == ["a": .file([1, 2, 3]), "b": .file([1, 2, 3, 0])])
  }

  @Test func `chunks of a large file that match the old file are not fetched`() throws {
    var bytes = pattern(5 << 20, seed: 4)
    let bench = UpdateBench(["large": .file(bytes)])
    bytes[2 << 20] ^= 1
    bytes += pattern(100, seed: 5)
    let sample = try SampleFolder(["large": .file(bytes)])
    #expect(try bench.update(sample) == 1 << 20 + 100)
    #expect(bench.items == sample.items)
    // The shorter version is a part of the old file.
    let shorter = try SampleFolder(["large": .file(Array(bytes[..<(3 << 20)]))])
    #expect(try bench.update(shorter) == 0)
    #expect(bench.items == shorter.items)
  }

  @Test func `a file in another folder named by the user is copied`() throws {
    var bench = UpdateBench(["a": .file([1])])
    let bytes = pattern(70_000, seed: 6)
    bench.temporary.write("store/deep/x", bytes)
    symlink("deep", bench.temporary("store/link"))
    bench.options.reusedFolders = [bench.temporary("store")]
    let sample = try SampleFolder(["a": .file([1]), "b": .file(bytes, isExecutable: true)])
    #expect(try bench.update(sample) == 0)
    #expect(bench.items == sample.items)
    #expect(bench.temporary.read("store/deep/x") == bytes)
  }

  @Test func `a copy does not count if its source changed after it was hashed`() throws {
    let bytes = pattern(3_000, seed: 7)
    let bench = UpdateBench(["a": .file(bytes)])
    let sample = try SampleFolder(["b": .file(bytes)])
    let output = OpenFolder(try Directory(bench.output))
    let plan = try #require(
      try FolderUpdatePlan(sample.layout, output: output, bench.options, threads: 1) { false })
    #expect(plan.copies.count == 1)
    bench.temporary.write("out/a", [9], at: 5)
    let part = try FolderPart(in: output, layout: sample.layout, wanted: plan.missing)
    #expect(try FolderCopying(plan, part, threads: 1).run { false }?.entries == [0])
    #expect(!part.isResumed)
    try part.discard()
  }

  @Test func `unlisted files stay in place`() throws {
    let bench = UpdateBench(["a/x": .file([1]), "a/own": .file([2]), "mine/y": .file([3]), ".z": .file([4])])
    try bench.update(SampleFolder(["a/x": .file([9])]))
    #expect(bench.items == ["a/x": .file([9]), "a/own": .file([2]), "mine/y": .file([3]), ".z": .file([4])])
  }

  @Test func `only the wanted files change, and a later update completes the folder`() throws {
    var bench = UpdateBench(["a/x": .file([1]), "b/y": .file([2])])
    let sample = try SampleFolder(["a/x": .file([8]), "b/y": .file([9]), "b/z": .file([7])])
    bench.options.filter = FolderFilter([.init(including: PathPattern("b")!), .init(excluding: PathPattern("z")!)])
    #expect(try bench.update(sample) == 1)
    #expect(bench.items == ["a/x": .file([1]), "b/y": .file([9])])
    bench.options.filter = FolderFilter()
    #expect(try bench.update(sample) == 2)
    #expect(bench.items == sample.items)
  }

  @Test func `a new output copies files of other folders`() throws {
    var bench = UpdateBench(["store/x": .file(pattern(40_000)), "store/y": .file([1, 2])])
    bench.options.reusedFolders = [bench.out("store")]
    let sample = try SampleFolder(["a/b": .file(pattern(40_000)), "c": .file([1, 2]), "d": .file([3])])
    let part = try FolderPart(inFolder: bench.output, layout: sample.layout)
    #expect(!part.isResumed)
    #expect(try part.copyFiles(bench.options)?.entries == [sample.entry("d")])
    #expect(part.isResumed)
    try part.write([3], at: sample.layout.offset(ofFile: sample.entry("d")))
    try part.place(as: "new")
    part.removeJournal()
    #expect(SampleFolder.items(below: bench.out("new")) == sample.items)
  }

  @Test func `matching chunks of the file at the same path in another folder are not fetched`() throws {
    let old = pattern(3 << 20, seed: 4)
    var new = old
    new[5] ^= 1
    var bench = UpdateBench()
    bench.options.reusedFolders = [bench.temporary("store")]
    mkdir(bench.temporary("store"), 0o755)
    UpdateBench.make(["deep/large": .file(old)], in: bench.temporary("store"))
    let sample = try SampleFolder(["deep/large": .file(new)])
    // The output is new.
    let part = try FolderPart(inFolder: bench.temporary.path, layout: sample.layout)
    #expect(try part.copyFiles(bench.options)?.entries == [0])
    #expect(part.isResumed)
    let found = try part.verifiedLeaves(of: sample.chunks(withLeafHashes: true), in: sample.cut)
    #expect(found.map(\.mask) == [.max - 1, .max, .max])
    try part.discard()
    // The output exists. Here only whole chunks count.
    #expect(try bench.update(sample) == 1 << 20)
    #expect(bench.items == sample.items)
  }

  // MARK: Modes

  @Test func `a file gets its executable bit without a copy`() throws {
    let bench = UpdateBench(["a": .file([1]), "b": .file([2], isExecutable: true)])
    chmod(bench.out("a"), 0o640)
    let inode = try Directory(bench.output).status(of: "a").identity
    let sample = try SampleFolder(["a": .file([1], isExecutable: true), "b": .file([2])])
    #expect(try bench.plan(sample).items.map(\.change) == [.changed, .changed])
    #expect(try bench.update(sample) == 0)
    #expect(bench.temporary.mode("out/a") == 0o750 && bench.temporary.mode("out/b") == 0o644)
    #expect(try Directory(bench.output).status(of: "a").identity == inode)
  }

  @Test func `a file with a second hard link keeps its mode there`() throws {
    let bench = UpdateBench(["a": .file([1])])
    bench.temporary.write("kept", [])
    unlink(bench.temporary("kept"))
    link(bench.out("a"), bench.temporary("kept"))
    #expect(try bench.update(SampleFolder(["a": .file([1], isExecutable: true)])) == 0)
    #expect(bench.temporary.mode("kept") == 0o644)
    #expect(bench.items == ["a": .file([1], isExecutable: true)])
  }

  @Test func `a new version of a private file stays private`() throws {
    let bench = UpdateBench(["a": .file([1])])
    chmod(bench.out("a"), 0o600)
    try bench.update(SampleFolder(["a": .file([2])]))
    #expect(bench.temporary.mode("out/a") == 0o600)
  }

  // MARK: Other kinds

  @Test func `files, folders and links replace one another`() throws {
    let bench = UpdateBench([
      "file-folder": .file([1]), "link-folder": .link("hollow"), "file-link": .file([2]), "link-file": .link("x"),
      "hollow-file/deep/er": .folder, "hollow-link": .folder, "file-hollow": .file([3]), "x": .file([4]),
    ])
    let sample = try SampleFolder([
      "file-folder/a": .file([5]), "link-folder/b/c": .file([6]), "file-link": .link("x"), "link-file": .file([7]),
      "hollow-file": .file([8]), "hollow-link": .link("x"), "file-hollow": .folder, "x": .file([4]),
    ])
    #expect(try bench.update(sample) == 4)
    #expect(bench.items == sample.items)
  }

  @Test func `a folder with unlisted files is replaced only if unlisted files are deleted`() throws {
    for kind in [SampleFolder.Item.file([1]), .link("k")] {
      var bench = UpdateBench(["a/b/own": .file([2]), "k": .file([3])])
      let sample = try SampleFolder(["a": kind, "k": .file([3])])
      let fault = FolderUpdateFault.unlisted(folder: bench.out("a"), name: "a/b/own")
      #expect(throws: fault.error) { try bench.update(sample) }
      #expect(bench.items == ["a/b/own": .file([2]), "k": .file([3])])
      bench.options.deletes = true
      bench.temporary.write("out/a/.hidden", [4])
      #expect(throws: FolderUpdateFault.unlisted(folder: bench.out("a"), name: "a/.hidden").error) {
        try bench.update(sample)
      }
      unlink(bench.out("a/.hidden"))
      try bench.update(sample)
      #expect(bench.items == sample.items)
    }
  }

  @Test func `a FIFO in the place of a file ends the update before any change`() throws {
    let bench = UpdateBench(["b": .file([1])])
    mkfifo(bench.out("a"), 0o600)
    #expect(throws: FolderUpdateFault.notAFile(path: bench.out("a")).error) {
      try bench.update(SampleFolder(["a": .file([1]), "b": .file([2])]))
    }
    #expect(bench.temporary.read("out/b") == [1])
  }

  // MARK: Other programs

  @Test func `a file that changes during the update is not replaced`() throws {
    let bench = UpdateBench(["a": .file([1]), "b": .file([2])])
    let sample = try SampleFolder(["a": .file([8]), "b": .file([9])])
    let update = try bench.begin(sample)
    _ = try UpdateBench.fetch(sample, into: update)
    bench.temporary.write("out/b", [5, 5])
    #expect(throws: FolderUpdateFault.changed(path: bench.out("b")).error) { try UpdateBench.finish(update) }
    update.release()
    #expect(bench.temporary.read("out/a") == [1] && bench.temporary.read("out/b") == [5, 5])
    #expect(try bench.update(sample) == 0)
    #expect(bench.items == sample.items)
  }

  @Test func `a file that appears during the update is not replaced`() throws {
    let bench = UpdateBench()
    let sample = try SampleFolder(["a/b": .file([8])])
    let update = try bench.begin(sample)
    _ = try UpdateBench.fetch(sample, into: update)
    bench.temporary.write("out/a/b", [5])
    #expect(throws: FolderUpdateFault.changed(path: bench.out("a/b")).error) { try UpdateBench.finish(update) }
    #expect(bench.temporary.read("out/a/b") == [5])
  }

  @Test func `two updates of one output do not run at once`() throws {
    let bench = UpdateBench(["a": .file([1])])
    let update = try bench.begin(try SampleFolder(["a": .file([2])]))
    #expect(throws: PartFileError.running(path: bench.output)) { try bench.begin(try SampleFolder(["a": .file([3])])) }
    update.release()
    try update.discard()
    try bench.update(SampleFolder(["a": .file([3])]))
    #expect(bench.items == ["a": .file([3])])
  }

  @Test func `kept files can be read until they change`() throws {
    let bytes = pattern(50_000, seed: 9)
    let bench = UpdateBench(["a": .file(bytes)])
    let sample = try SampleFolder(["a": .file(bytes), "b": .file([1])])
    let update = try bench.begin(sample)
    let offset = sample.layout.offset(ofFile: sample.entry("a"))
    var buffer = [UInt8](repeating: 0, count: 1_000)
    func read() throws {
      var span = buffer.mutableSpan
      var raw = span.mutableBytes
      try update.read(at: offset + 40_000, count: 1_000, into: &raw)
    }
    try read()
    #expect(buffer == Array(bytes[40_000..<41_000]))
    bench.temporary.write("out/a", [0], at: 3)
    #expect(throws: FolderUpdateFault.changed(path: bench.out("a")).error) { try read() }
    update.release()
  }

  @Test func `bytes can be read before and after their files are in place`() throws {
    let bench = UpdateBench(["a": .file([1])])
    let bytes = pattern(50_000, seed: 8)
    let sample = try SampleFolder(["a": .file([1]), "b": .file(bytes)])
    let update = try bench.begin(sample)
    _ = try UpdateBench.fetch(sample, into: update)
    let offset = sample.layout.offset(ofFile: sample.entry("b"))
    func read() throws -> [UInt8] {
      var buffer = [UInt8](repeating: 0, count: 1_000)
      var span = buffer.mutableSpan
      var raw = span.mutableBytes
      try update.read(at: offset + 40_000, count: 1_000, into: &raw)
      return buffer
    }
    #expect(try read() == Array(bytes[40_000..<41_000]))
    try update.place(as: "out", force: false)
    update.part.files.removeAll()
    #expect(try read() == Array(bytes[40_000..<41_000]))
    update.removeJournal()
    let file = try update.finished(as: "out")
    var buffer = [UInt8](repeating: 0, count: 1_000)
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    try file.read(at: offset + 40_000, count: 1_000, into: &raw)
    #expect(buffer == Array(bytes[40_000..<41_000]))
    update.release()
  }
}
