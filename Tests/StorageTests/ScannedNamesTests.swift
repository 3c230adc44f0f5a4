// The names that an update has seen and the files that it lacks, with millions of files.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct ScannedNamesTests {
  private func status(_ number: Int, _ kind: FileKind = .regular) -> FileStatus {
    FileStatus(
      FileIdentity(device: UInt64(number % 3) << 40, inode: .max - UInt64(number)), kind, size: UInt64(number) << 33,
      modified: FileTime(seconds: Int64(number) * 7_000_000_000 - 5_000_000_000, nanoseconds: 999_999_999),
      changed: FileTime(seconds: -1 << 40 + Int64(number), nanoseconds: Int64(number)), mode: UInt32(number % 4_096),
      owner: .max - UInt32(number % 2), linkCount: UInt64(number % 5))
  }

  @Test func `a scanned name is returned as it was added`() {
    let kinds: [FileKind] = [.regular, .directory, .symbolicLink, .other]
    let added = (0..<10_000).map { number in
      ScannedName(
        path: FolderPath(utf8: Array("folder/\(number)".utf8) + [0xff]), status: status(number, kinds[number % 4]),
        target: number % 4 == 2 ? Array("\(number)".utf8) : [], isOpaque: number % 7 == 0)
    }
    var names = ScannedNames()
    for name in added { names.append(name) }
    #expect(Array(names) == added && names.count == 10_000)
    #expect(names.status(at: 9_999) == added[9_999].status)
  }

  @Test func `a path that is longer than a block of memory gets a block of its own`() {
    var names = ScannedNames()
    let paths = ["a", String(repeating: "b/", count: 50_000) + "c", "d"]
    for path in paths {
      names.append(ScannedName(path: FolderPath(path), status: status(1), target: [], isOpaque: false))
    }
    #expect(names.map(\.path.description) == paths)
    #expect(names.hasName(at: 1, FolderPath(paths[1])) && !names.hasName(at: 0, FolderPath("ab")))
    #expect(names.isName(at: 0, before: FolderPath("a/b")) && !names.isName(at: 2, before: FolderPath("a.b")))
  }

  @Test func `missing files are found by their content`() throws {
    let sample = try SampleFolder([
      "a": .file([1]), "b": .file([2]), "c": .file([1]), "d": .file([1, 2]), "e": .file([]), "f": .file([1]),
    ])
    let listing = sample.listing
    var missing = MissingContents(listing, [0, 1, 2, 3])
    #expect(!missing.isEmpty && missing.hasLength(1) && missing.hasLength(2))
    #expect(!missing.hasLength(0) && !missing.hasLength(3))
    #expect(missing.entries(of: listing.content(of: 5)) == [0, 2])
    #expect(missing.entries(of: listing.content(of: 3)) == [3])
    #expect(missing.entries(of: FileContent(length: 2, root: listing.fileRoot(of: 0))).isEmpty)
    missing.keep { $0 == 2 }
    #expect(missing.entries(of: listing.content(of: 0)) == [2] && !missing.hasLength(2))
    missing.keep { _ in false }
    #expect(missing.isEmpty && missing.entries(of: listing.content(of: 0)).isEmpty)
  }

  @Test func `if several files of the output are equal, the first one is copied`() throws {
    let bench = UpdateBench(["b": .file([1, 2]), "c": .file([1, 2]), "d": .file([1, 2]), "z": .file([3, 4])])
    let sample = try SampleFolder(["a": .file([1, 2]), "d": .file([1, 2]), "y": .file([3, 4]), "z": .file([1, 2])])
    let output = OpenFolder(try Directory(bench.output))
    let plan = try #require(
      try FolderUpdatePlan(sample.layout, output: output, bench.options, threads: 2) { false })
    let copies = plan.copies.map { (sample.listing.path(of: $0.key).description, $0.value.place) }
    #expect(Dictionary(uniqueKeysWithValues: copies) == ["a": 0, "y": 3, "z": 0], "d is kept")
    #expect(plan.kept.entries == [sample.entry("d")])
  }
}
