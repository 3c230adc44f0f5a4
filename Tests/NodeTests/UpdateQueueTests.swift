// Updates of a download whose program reads them late.
import Content
import Posix
import Storage
import TestSupport
import Testing
import Wire

@testable import PeerNode
@testable import Transfer

@Suite struct UpdateQueueTests {
  private static let peer = StaticIdentity(secret: .random()).peerID

  private func report(_ chunk: UInt32) -> DownloadUpdate {
    .report(
      .chunkDone(
        chunk: ChunkIndex(chunk), worker: 0, finished: 0, total: 0, peer: UpdateQueueTests.peer, latency: .zero,
        bytes: 0))
  }

  private func names(_ updates: [DownloadUpdate]) -> [String] {
    updates.map { update in
      switch update {
      case .report(.chunkDone(let chunk, _, _, _, _, _, _)): "chunk \(chunk.rawValue)"
      case .progress(let progress): "progress \(progress.finishedChunks)"
      case .prepared: "prepared"
      case .resumed: "resumed"
      case .found: "found"
      case .files(let files): "files " + files.map(\.path).joined(separator: " ")
      default: "other"
      }
    }
  }

  private func progress(_ finished: Int) -> DownloadUpdate {
    .progress(
      DownloadProgress(
        finishedChunks: finished, totalChunks: 0, bytes: 0, bytesPerSecond: 0, livePeers: 0, workers: 0, retries: 0,
        hedges: 0, givesUpIn: nil, peers: []))
  }

  private func all(of backlog: inout UpdateBacklog) -> [String] {
    var updates: [DownloadUpdate] = []
    while let update = backlog.take() { updates.append(update) }
    return names(updates)
  }

  @Test func `updates arrive in order`() {
    var backlog = UpdateBacklog(countMax: 8)
    for update in [.prepared(name: "a", length: 1), report(0), progress(1), report(1)] { backlog.put(update) }
    let all = all(of: &backlog)
    #expect(all == ["prepared", "chunk 0", "progress 1", "chunk 1"])
  }

  @Test func `a full queue keeps the newest progress and loses only the oldest reports`() {
    var backlog = UpdateBacklog(countMax: 8)
    backlog.put(.prepared(name: "a", length: 1))
    backlog.put(progress(0))
    for i in 0..<UInt32(5) { backlog.put(report(i)) }
    backlog.put(progress(5))
    backlog.put(report(5))
    #expect(backlog.lostCount == 0, "a progress that is overtaken goes first")
    backlog.put(report(6))
    #expect(backlog.lostCount == 1)
    let left = all(of: &backlog)
    #expect(
      left
        == ["prepared", "chunk 1", "chunk 2", "chunk 3", "chunk 4", "progress 5", "chunk 5", "chunk 6"])
  }

  @Test func `a program that reads late gets all important updates and the count of the lost ones`() {
    var backlog = UpdateBacklog(countMax: 64)
    for i in 0..<UInt32(10_000) {
      backlog.put(report(i))
      if i % 10 == 0 { backlog.put(progress(Int(i))) }
      if i % 1_000 == 0 { backlog.put(.resumed(chunks: 1, bytes: 1 << 20)) }
      #expect(backlog.count <= 64)
    }
    let left = all(of: &backlog)
    #expect(left.count { $0 == "resumed" } == 10)
    #expect(left.filter { $0.hasPrefix("progress") } == ["progress 9990"])
    #expect(left.last == "chunk 9999")
    #expect(backlog.lostCount == 10_000 - left.count { $0.hasPrefix("chunk") })
  }

  // MARK: Files

  private static let layout: FolderLayout? = {
    let content = FileContent(length: 1, root: Digest(sha256: [1].span.bytes))
    let entries = (0..<1000).map { FolderEntry(FolderPath("\($0)"), .file(content, isExecutable: false)) }
    return (try? FolderListing(entries)).flatMap { try? FolderLayout($0, root: .zero) }
  }()

  /// Returns an update with files of the listing, by entry. A listing is sorted by name.
  private func files(_ entries: [UInt32]) throws -> DownloadUpdate {
    .files(CompletedFiles(try #require(UpdateQueueTests.layout), FilePlaces("part"), entries))
  }

  @Test func `files that wait are delivered together and in order`() throws {
    var backlog = UpdateBacklog(countMax: 8)
    backlog.put(try files([0]))
    backlog.put(try files([1, 2]))
    backlog.put(report(0))
    backlog.put(try files([3]))
    let all = all(of: &backlog)
    #expect(all == ["files 0 1 10", "chunk 0", "files 100"])
  }

  @Test func `no file is lost however late the program reads, and few updates wait`() throws {
    var backlog = UpdateBacklog(countMax: 64)
    for i in 0..<UInt32(1000) {
      backlog.put(report(i))
      backlog.put(try files([i]))
      #expect(backlog.count <= 64)
    }
    var places: [String] = []
    while let update = backlog.take() {
      if case .files(let files) = update { places += files.compactMap(\.place) }
    }
    #expect(Set(places) == Set((0..<1000).map { "part/\($0)" }) && places.count == 1000)
  }

  @Test func `updates that must not be lost stay, even if they alone exceed the limit`() {
    var backlog = UpdateBacklog(countMax: 4)
    for _ in 0..<10 { backlog.put(.resumed(chunks: 1, bytes: 1 << 20)) }
    backlog.put(report(1))
    let all = all(of: &backlog)
    #expect(all == Array(repeating: "resumed", count: 10) + ["chunk 1"])
  }

  @Test func `a thread gets all updates and then the end`() {
    let queue = UpdateQueue(isRead: true)
    let read = BlockingQueue<String>()
    let thread = Posix.Thread.start(name: "reader") {
      while let update = queue.take() { read.put(self.names([update])[0]) }
      read.close()
    }
    queue.put(report(1))
    queue.put(report(2))
    queue.close()
    queue.put(report(3))
    thread.join()
    #expect(read.take() == "chunk 1" && read.take() == "chunk 2" && read.take() == nil)
  }

  @Test func `a task gets all updates and then the end`() async {
    let queue = UpdateQueue(isRead: true)
    async let first = queue.next()
    queue.put(report(1))
    queue.put(report(2))
    queue.close()
    var updates = [await first, await queue.next()]
    #expect(names(updates.compactMap { $0 }) == ["chunk 1", "chunk 2"])
    updates.append(await queue.next())
    #expect(updates.last! == nil)
  }

  @Test func `a cancelled reader ends, and later updates are dropped`() async {
    let download = Download(Sample.small.fileID, isWatched: true)
    let reader = Task {
      var count = 0
      for await _ in download.updates { count += 1 }
      return count
    }
    reader.cancel()
    #expect(await reader.value == 0)
    for i in 0..<UInt32(10_000) { download.queue.put(report(i)) }
    #expect(download.lostUpdates == 0)
  }

  @Test func `without a reader no update waits`() {
    let queue = UpdateQueue(isRead: false)
    queue.put(report(1))
    #expect(queue.take() == nil)
  }
}
