// Many paths with the same bytes: which of them serves, and what it costs to remove them.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct CatalogueTableTests {
  private let temporary = TemporaryFolder()

  /// Entries of the same bytes under many paths, as many hard links to one file are.
  private func entries(_ count: Int) throws -> [CatalogueEntry] {
    temporary.write("file", pattern(100))
    let status = try ServedFolder(temporary.path).status("file")
    let hashes = KnownFile(number: 1, root: Digest(sha256: pattern(100).span.bytes))
    return (0..<count).map { CatalogueEntry(path: "folder/\($0)", status: status, hashes: hashes) }
  }

  private func bucket(_ fileID: FileID) -> UInt16 { 7 }

  @Test func `of equal entries the oldest that is left serves, in whatever order they go and come`() throws {
    var table = CatalogueTable()
    var model: [CatalogueEntry] = []
    let steps = pattern(10_000)
    let all = try entries(60)
    for step in 0..<5_000 {
      let entry = all[Int(steps[2 * step]) % all.count]
      if let place = model.firstIndex(where: { $0 === entry }), steps[2 * step + 1] % 3 > 0 {
        model.remove(at: place)
        let (wasRemoved, again) = (table.remove(entry, bucket: 7), table.remove(entry, bucket: 7))
        #expect(wasRemoved && !again, "removing twice does nothing")
      } else {
        model.removeAll { $0 === entry }
        model.append(entry)
        _ = table.add(entry, bucketOf: bucket)
      }
      #expect(table.entry(of: entry.content) === model.first)
      #expect(table.candidates(bucket: 7).first === model.first && table.candidates(bucket: 7).count <= 1)
      #expect(table.count == model.count && table.bytes == UInt64(model.count) * 100)
    }
    #expect(Set(table.entries.map(\.path)) == Set(model.map(\.path)))
  }

  /// Processor time of this thread, in nanoseconds, that removing so many equal entries takes.
  private func removalTime(_ count: Int, _ order: ([CatalogueEntry]) -> [CatalogueEntry]) throws -> Double {
    let entries = try entries(count)
    var table = CatalogueTable()
    for entry in entries { _ = table.add(entry, bucketOf: bucket) }
    let ordered = order(entries)
    var (began, ended) = (timespec(), timespec())
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began)
    for entry in ordered { table.remove(entry, bucket: 7) }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended)
    #expect(table.count == 0)
    return Double(ended.tv_sec - began.tv_sec) * 1e9 + Double(ended.tv_nsec - began.tv_nsec)
  }

  @Test(arguments: [false, true])
  func `removing ten times as many equal entries takes about ten times as long`(isFromTheEnd: Bool) throws {
    let order: ([CatalogueEntry]) -> [CatalogueEntry] = { isFromTheEnd ? $0.reversed() : $0 }
    let few = try (0..<5).map { _ in try removalTime(2_000, order) }.min()!
    let many = try (0..<3).map { _ in try removalTime(20_000, order) }.min()!
    // Each looking at each other would be 100 times.
    #expect(many / few < 40, "\(few) ns, \(many) ns")
  }
}
