// Many paths with the same bytes: which of them is served, and the cost of removing them.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct CatalogueTableTests {
  private let temporary = TemporaryFolder()

  /// Entries with the same bytes under many paths, like hard links to one file.
  private func entries(_ count: Int) throws -> [CatalogueEntry] {
    temporary.write("file", pattern(100))
    let status = try ServedFolder(temporary.path).status("file")
    let hashes = KnownFile(number: 1, root: Digest(sha256: pattern(100).span.bytes))
    return (0..<count).map { CatalogueEntry(path: "folder/\($0)", status: status, hashes: hashes) }
  }

  private func bucket(_ fileID: FileID) -> UInt16 { 7 }

  @Test func `of several equal entries the oldest one serves, in whatever order entries come and go`() throws {
    var table = CatalogueTable()
    var model: [CatalogueEntry] = []
    let steps = pattern(10_000)
    let all = try entries(60)
    for step in 0..<5_000 {
      let entry = all[Int(steps[2 * step]) % all.count]
      if let place = model.firstIndex(where: { $0 == entry }), steps[2 * step + 1] % 3 > 0 {
        model.remove(at: place)
        let (wasRemoved, again) = (table.remove(entry, bucket: 7), table.remove(entry, bucket: 7))
        #expect(wasRemoved && !again, "removing twice does nothing")
      } else {
        model.removeAll { $0 == entry }
        model.append(entry)
        _ = table.add(entry, bucketOf: bucket)
      }
      #expect(table.entry(of: entry.content) == model.first)
      #expect(table.candidates(bucket: 7).first == model.first && table.candidates(bucket: 7).count <= 1)
      #expect(table.count == model.count && table.bytes == UInt64(model.count) * 100)
    }
    #expect(Set(table.entries().map(\.path)) == Set(model.map(\.path)))
  }

  @Test func `paths, contents, buckets and expected files match a model, in whatever order they come and go`()
    throws
  {
    var table = CatalogueTable()
    var model: [String: CatalogueEntry] = [:]
    var expected: Set<String> = []
    let status = try entries(1)[0].status
    // Names that are equal as Unicode text, names of many lengths, and contents with several names.
    let paths = (0..<300).map { i in
      let folder = ["", "a/", "a/b/", "caf\u{E9}/", "cafe\u{301}/"][i % 5]
      return folder + String(repeating: "n", count: i % 37) + "\(i / 10)" + ["\u{E9}", "e\u{301}"][i / 5 % 2]
    }
    #expect(Set(paths.map { BytePath($0) }).count == 300)
    func bucket(_ fileID: FileID) -> UInt16 { UInt16(fileID.digest.bytes[0] % 4) }
    let steps = pattern(15_000)
    for step in 0..<5_000 {
      let path = paths[(Int(steps[3 * step]) << 8 | Int(steps[3 * step + 1])) % paths.count]
      let root = Digest(sha256: [steps[3 * step + 2] % 40].span.bytes)
      let hashes = KnownFile(number: Int64(step) + 1 << 40, root: root)
      let entry = CatalogueEntry(path: path, status: status, hashes: hashes)
      let key = path.utf8.map { "\($0)" }.joined(separator: " ")
      switch steps[3 * step + 2] / 64 {
      case 0, 1:
        let replaced = table.add(entry, bucketOf: bucket)
        #expect(replaced == model[key])
        model[key] = entry
        expected.remove(key)
      case 2:
        guard let old = model.removeValue(forKey: key) else { continue }
        let wasAnother = table.remove(entry, bucket: bucket(entry.fileID))
        let (wasRemoved, again) = (
          table.remove(old, bucket: bucket(old.fileID)), table.remove(old, bucket: bucket(old.fileID))
        )
        #expect(!wasAnother && wasRemoved && !again)
      default:
        table.expect(
          StoredRow(
            path: path, identity: status.identity, size: status.size, modified: status.modified,
            changed: status.changed, mode: status.mode, known: hashes))
        if model[key] == nil { expected.insert(key) }
        #expect((table.expected(at: path, status) != nil) == (model[key] == nil))
      }
      #expect(table.entry(at: path) == model[key])
      #expect(table.count == model.count)
      guard step % 250 == 0 else { continue }
      #expect(Set(table.entries()) == Set(model.values))
      #expect(Set(table.entries(below: "a").map(\.path)) == Set(model.values.map(\.path).filter { isBelow("a", $0) }))
      let found = (0..<4).flatMap { table.candidates(bucket: $0).map(\.content) }
      #expect(found.count == Set(found).count && Set(found) == Set(model.values.map(\.content)))
      for content in found { #expect(table.entry(of: content)?.content == content) }
    }
    let numbers = table.takeExpected(but: Set(paths.prefix(150).map { BytePath($0) }))
    let rest = table.takeExpected(but: [])
    #expect(numbers.count < expected.count && !numbers.isEmpty && rest.isEmpty)
    #expect(Set(table.entries()) == Set(model.values))
  }

  @Test(arguments: [-1, 0, Int64(1) << 34, .min, .max])
  func `a table returns a file status unchanged, also with extreme times`(seconds: Int64) throws {
    var table = CatalogueTable()
    let status = FileStatus(
      regular: FileIdentity(device: .max, inode: .max), size: 1, modified: FileTime(seconds: seconds, nanoseconds: 0),
      changed: FileTime(seconds: ~seconds, nanoseconds: 999_999_999), mode: 0o7777, owner: .max, linkCount: .max)
    let entry = CatalogueEntry(path: "a", status: status, hashes: KnownFile(number: 1, root: .zero))
    _ = table.add(entry, bucketOf: bucket)
    #expect(table.entry(at: "a")?.status == status)
  }

  /// Returns the processor time of this thread, in nanoseconds, to remove `count` equal entries.
  private func removalTime(_ count: Int, _ order: ([CatalogueEntry]) -> [CatalogueEntry]) throws -> Double {
    let entries = try entries(count)
    var table = CatalogueTable()
    for entry in entries { _ = table.add(entry, bucketOf: bucket) }
    let ordered = order(entries)
    var (began, ended) = (timespec(), timespec())
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began)
    for entry in ordered { _ = table.remove(entry, bucket: 7) }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended)
    #expect(table.count == 0)
    return Double(ended.tv_sec - began.tv_sec) * 1e9 + Double(ended.tv_nsec - began.tv_nsec)
  }

  @Test(arguments: [false, true])
  func `removing ten times as many equal entries takes about ten times as long`(isFromTheEnd: Bool) throws {
    let order: ([CatalogueEntry]) -> [CatalogueEntry] = { isFromTheEnd ? $0.reversed() : $0 }
    let few = try (0..<5).map { _ in try removalTime(2_000, order) }.min()!
    let many = try (0..<3).map { _ in try removalTime(20_000, order) }.min()!
    // If each entry looked at all others, it would be 100 times as long.
    #expect(many / few < 40, "\(few) ns, \(many) ns")
  }
}
