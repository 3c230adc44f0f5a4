// File systems that treat different names as equal. An update ends before it changes anything.
import Content
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct `An update where case does not matter` {
  @Test func `an update is refused before it begins if the file system takes two names for one`() throws {
    var bench = UpdateBench(["a": .file([1])])
    bench.options.acceptsStrangeOutput = true
    let sample = try SampleFolder(["A": .file([2])])
    let output = OpenFolder(try Directory(bench.output))
    let plan = try #require(
      try FolderUpdatePlan(sample.layout, output: output, bench.options, threads: 1) { false })
    // As on a file system that ignores case: both names stand for one file.
    let status = try Directory(bench.output).status(of: "a")
    #expect(
      plan.taken(FolderPath("A"), by: status) == .sameName(path: bench.out("A"), other: bench.out("a")))
  }

  @Test func `an update is refused before it begins if the file system takes two folders for one`() throws {
    let bench = UpdateBench(["Dir/own": .file([1]), "Dir/x": .file([2]), "kept": .file([3]), "way": .file([4])])
    let scan = try #require(try OutputScan(OpenFolder(try Directory(bench.output))) { false })
    // As on a file system that ignores case.
    func taken(_ items: [String: SampleFolder.Item]) throws -> FolderPath? {
      let listing = try SampleFolder(items).listing
      var missing = EntrySet(entryCount: listing.count)
      for entry in 0..<listing.count where scan.place(of: listing.path(of: entry)) == nil { missing.insert(entry) }
      return FolderUpdatePlan.firstTaken(by: missing, of: listing, scan) { path in
        scan.names.first { $0.path.description.lowercased() == path.description.lowercased() }?.status
      }?.path
    }
    // The folder's files have other names, or the same; it has the other folder beside it, is deep, or has no files.
    #expect(try taken(["dir/new": .file([5])]) == FolderPath("dir"))
    #expect(try taken(["a": .file([6]), "dir/x": .file([7])]) == FolderPath("dir"))
    #expect(try taken(["Dir/x": .file([2]), "dir/y": .file([8])]) == FolderPath("dir"))
    #expect(try taken(["dir/a/b/c": .file([5])]) == FolderPath("dir"))
    #expect(try taken(["dir": .folder]) == FolderPath("dir"))
    #expect(try taken(["Dir/OWN": .file([5])]) == FolderPath("Dir/OWN"))
    // A file may be replaced by a folder with its name, but not by one with another name.
    #expect(try taken(["new/x": .file([5]), "Dir/new": .file([5]), "way/x": .file([5])]) == nil)
    #expect(try taken(["WAY/x": .file([5])]) == FolderPath("WAY"))
  }
}
