// Folders with more files than fit in one batch.
import Content
import Glibc
import Posix
import TestSupport
import Testing

@testable import Storage

@Suite struct ManyFilesTests {
  private let temporary = TemporaryFolder()
  private let state = TemporaryFolder()
  private let count = 2 * ScannedQueue.batchFiles + 100

  /// Serves the folder until all files are hashed. Returns the progress before each batch.
  private func serve(_ catalogue: Catalogue) throws -> [HashProgress] {
    let folder = try WatchedFolder(catalogue, now: { 0 }) { _ in }
    var progress: [HashProgress] = []
    while folder.isFirstBatch {
      let before = try #require(folder.progress)
      progress.append(before)
      let events = Events()
      let ended = Ended()
      catalogue.load(folder.takeReady(), after: before, threads: 2, onEnded: ended.add, onEvent: events.add)
      #expect(events.progress.allSatisfy { $0.filesTotal == before.filesTotal && $0.bytesTotal == before.bytesTotal })
      for file in ended.list { folder.hashed(file.path, file.skipped) }
      folder.batchEnded(wasStopped: false)
    }
    #expect(folder.progress == nil && !folder.hasReady)
    return progress
  }

  private func catalogue() throws -> Catalogue {
    try Catalogue(
      folder: try ServedFolder(temporary.path), stateFolder: state.path, now: later(10), bucketOf: { _ in 0 })
  }

  @Test func `very many files are hashed in batches, and the second start hashes the changed ones`() throws {
    for i in 0..<count { temporary.write("f\(i % 7)/\(i)", [UInt8(i & 255), UInt8(i >> 8)]) }
    let first = try catalogue()
    let progress = try serve(first)
    #expect(progress.map(\.filesDone) == [0, ScannedQueue.batchFiles, 2 * ScannedQueue.batchFiles])
    #expect(progress.allSatisfy { $0.filesTotal == count && $0.bytesTotal == UInt64(2 * count) })
    #expect(first.served == (count, UInt64(2 * count)))
    temporary.write("f0/0", [9, 9])
    unlink(temporary("f1/1"))
    let second = try catalogue()
    #expect(try serve(second).map(\.filesTotal) == [1])
    #expect(second.served == (count - 1, UInt64(2 * (count - 1))))
    var paths: [String] = []
    try second.store.forEachFile { paths.append($0.path) }
    #expect(paths.count == count - 1 && !paths.contains("f1/1"), "the database forgets a file that is gone")
    for entry in first.entries where !["f0/0", "f1/1"].contains(entry.path) {
      #expect(second.entry(at: entry.path) == entry)
    }
  }

  @Test func `the queue returns its files as they were added`() throws {
    temporary.write("f", [1])
    let status = try ServedFolder(temporary.path).status("f")
    var queue = ScannedQueue()
    var expected: [String] = []
    for i in 0..<9_000 {
      let prefix = ["", "a/", "a/\u{E9}/"][i / 300 % 3]
      queue.append("n\(i)", in: prefix, status)
      expected.append("\(prefix)n\(i)")
    }
    #expect(queue.count == 9_000 && queue.bytes == 9_000)
    var found: [String] = []
    while !queue.isEmpty { found += queue.takeBatch().map(\.path) }
    #expect(found == expected && queue.bytes == 0 && queue.takeBatch() == [])
  }

  /// Files that have ended, collected from all threads.
  private final class Ended: Sendable {
    private let all = BlockingQueue<EndedFile>()
    func add(_ files: [EndedFile]) { for file in files { all.put(file) } }
    var list: [EndedFile] {
      all.close()
      var list: [EndedFile] = []
      while let file = all.take() { list.append(file) }
      return list
    }
  }
}
