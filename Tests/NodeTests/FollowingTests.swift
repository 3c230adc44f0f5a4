// A server whose folder changes. Its clients are notified at once, or the change does not affect them.
import Content
import Glibc
import Posix
import Storage
import Synchronization
import Testing
import Transfer
import Wire
import TestSupport

@testable import PeerNode

/// The events of a server about its folder, one line each. A thread can wait for a line.
final class News: Sendable {
  private let lines = BlockingQueue<String>()
  private let bytes = Mutex<UInt64>(0)
  /// The number of bytes that were hashed.
  var hashedBytes: UInt64 { bytes.withLock { $0 } }

  func add(_ event: CatalogueEvent) {
    switch event {
    case .added(let entry): lines.put("+ \(entry.path)")
    case .renamed(let entry, let old): lines.put("\(old) > \(entry.path)")
    case .progress(let progress): bytes.withLock { $0 = max($0, progress.bytesDone) }
    case .listed(let folder): lines.put("= \(folder.listing.path)")
    case .hashingEnded: lines.put("hashed")
    case .skipped, .warning, .unlisted, .leftOut: break
    }
  }

  func add(_ event: NodeEvent) { if case .withdrawn(let path, _) = event { lines.put("- \(path)") } }

  /// Whether this line is reported, now or within the bound.
  func includes(_ expected: String) -> Bool { next { $0 == expected } != nil }

  /// Returns the next line that `matches`. Nil if none arrives within the bound.
  func next(_ matches: (String) -> Bool) -> String? {
    let lines = lines
    let watchdog = Watchdog(seconds: 20) { lines.close() }
    defer { withExtendedLifetime(watchdog) {} }
    while let next = lines.take() { if matches(next) { return next } }
    return nil
  }
}

/// A server of a folder that the test changes.
final class Followed {
  let server: Server
  let folder: TemporaryFolder
  let state: TemporaryFolder
  let news = News()

  init(_ samples: [Sample], folder: TemporaryFolder = TemporaryFolder(), state: TemporaryFolder = TemporaryFolder())
    throws
  {
    (self.folder, self.state) = (folder, state)
    for sample in samples { folder.write(sample.name, sample.bytes) }
    var configuration = NodeConfiguration(identity: .random())
    configuration.loopCount = 2
    // Let new files of a test look old enough for their times to identify their content.
    configuration.fileTime = { FileTime(seconds: Clock.fileTime.seconds + 10, nanoseconds: 0) }
    let news = news
    server = try Server(configuration, folder: folder.path, listen: .loopback(0), stateFolder: state.path) {
      news.add($0)
    }
    try server.scan { news.add($0) }
  }

  deinit { server.shutDown(grace: .zero) }

  /// Returns a client that has opened a sample.
  func client(of sample: Sample) throws -> ScriptedPeer {
    let peer = try ScriptedPeer(dialling: server.address)
    guard case .opened(let opened) = try peer.open(sample.fileID), case .opened = opened.outcome else {
      throw SocketEnd.endOfStream
    }
    return peer
  }

  func move(_ old: String, _ new: String) { #expect(rename(folder(old), folder(new)) == 0) }
}

@Suite struct FollowingTests {
  private let other = Sample("other.bin", byteCount: 90_000, seed: 7)

  private func reason(_ message: Message) -> Withdrawn.Reason? {
    if case .withdrawn(let withdrawn) = message, withdrawn.handle == ScriptedPeer.handle {
      withdrawn.reason
    } else {
      nil
    }
  }

  @Test func `a peer learns at once that its open file is removed`() throws {
    let followed = try Followed([.small])
    let clients = try (0..<3).map { _ in try followed.client(of: .small) }
    unlink(followed.folder("small.bin"))
    for client in clients { #expect(try reason(client.receive().message) == .removed) }
    #expect(followed.news.includes("- small.bin"))
    guard case .opened(let opened) = try clients[0].open(Sample.small.fileID, handle: FileHandle(8)) else {
      Issue.record("no answer")
      return
    }
    #expect(opened.outcome == .refused(.noSuchFile))
  }

  @Test func `the end of hashing is reported, first for the initial files and then for each later one`() throws {
    let followed = try Followed([.small])
    #expect(followed.news.includes("hashed"))
    followed.folder.write("other.bin", other.bytes)
    #expect(followed.news.includes("+ other.bin"))
    #expect(followed.news.includes("hashed"))
  }

  @Test func `an overwritten file is withdrawn as changed and served with its new bytes`() throws {
    let followed = try Followed([.small])
    let client = try followed.client(of: .small)
    followed.folder.write("small.bin", other.bytes)
    #expect(try reason(client.receive().message) == .changed)
    #expect(followed.news.includes("- small.bin") && followed.news.includes("+ small.bin"))
    #expect(
      try followed.client(of: other).fetch(0, count: 2)
        == other.leaves(LeafRange(first: 0, count: 2), of: ChunkIndex(0)))
  }

  @Test func `a renamed file is served on to peers that have it open, and is not hashed again`() throws {
    let followed = try Followed([.common])
    let client = try followed.client(of: .common)
    let leaves = LeafRange(first: 0, count: 4)
    #expect(try client.fetch(0, count: 4) == Sample.common.leaves(leaves, of: ChunkIndex(0)))
    let hashed = followed.news.hashedBytes
    followed.move("sample.bin", "renamed.bin")
    #expect(try client.fetch(1, count: 4) == Sample.common.leaves(leaves, of: ChunkIndex(1)))
    #expect(followed.news.includes("sample.bin > renamed.bin"))
    #expect(try client.fetch(2, count: 4) == Sample.common.leaves(leaves, of: ChunkIndex(2)))
    #expect(followed.news.hashedBytes == hashed)
    _ = try followed.client(of: .common)
  }

  @Test func `if one of two equal files is removed, the other is served on the same handle`() throws {
    let followed = try Followed([.small, Sample("twin.bin", bytes: Sample.small.bytes)])
    let client = try followed.client(of: .small)
    let first = LeafRange(first: 0, count: 1)
    unlink(followed.folder("small.bin"))
    #expect(followed.news.includes("- small.bin"))
    #expect(try client.fetch(0, count: 1) == Sample.small.leaves(first, of: ChunkIndex(0)))
    unlink(followed.folder("twin.bin"))
    #expect(try reason(client.receive().message) == .removed)
  }

  @Test func `new files are served, and the next server of the folder hashes nothing`() throws {
    let followed = try Followed([])
    followed.folder.write("other.bin", other.bytes)
    #expect(followed.news.includes("+ other.bin"))
    _ = try followed.client(of: other)
    let second = try Followed([], folder: followed.folder, state: followed.state)
    #expect(second.news.hashedBytes == 0)
    _ = try second.client(of: other)
    // Both servers follow the folder.
    unlink(followed.folder("other.bin"))
    #expect(followed.news.includes("- other.bin") && second.news.includes("- other.bin"))
  }

  @Test func `a server that never scanned ends, and so does one that is shut down twice`() throws {
    let folder = TemporaryFolder()
    let state = TemporaryFolder()
    let server = try Server(
      NodeConfiguration(identity: .random()), folder: folder.path, listen: .loopback(0), stateFolder: state.path)
    server.shutDown(grace: .zero)
    server.shutDown(grace: .zero)
  }
}
