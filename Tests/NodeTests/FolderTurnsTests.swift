// Several folders of a node have files to hash. They take turns.
import Glibc
import Posix
import Storage
import TestSupport
import Testing

@testable import PeerNode

@Suite struct FolderTurnsTests {
  /// A followed folder that reports its events.
  private struct Served {
    let folder = TemporaryFolder()
    private let state = TemporaryFolder()
    let firstBatch = BlockingQueue<Result<Void, Errno>>()

    /// - `files`: the files at the start.
    init(_ files: [String], on node: TestNode, _ onEvent: @escaping @Sendable (CatalogueEvent) -> Void) throws {
      for file in files { write(file) }
      let share = try node.node.share(folder.path, stateFolder: state.path)
      let context = node.node.context
      try context.following.follow(
        FollowedShare(share: share, shouldStop: { false }, firstBatch: firstBatch, onEvent: onEvent), for: context)
    }

    func write(_ file: String) { folder.write(file, Array(file.utf8)) }

    func move(_ old: String, _ new: String) { #expect(rename(folder(old), folder(new)) == 0) }
  }

  @Test func `the first files of a folder are hashed before later files of others, then folders take turns`() throws {
    let news = News()
    let (entered, gate) = (BlockingQueue<Bool>(), BlockingQueue<Void>())
    let watchdog = Watchdog(seconds: 20) {
      entered.close()
      gate.close()
    }
    defer { withExtendedLifetime(watchdog) {} }
    let onEvent: @Sendable (CatalogueEvent) -> Void = { event in
      news.add(event)
      guard case .added(let entry) = event, entry.path == "busy-2" else { return }
      entered.put(true)
      _ = gate.take()
    }
    let node = try TestNode(listens: false)
    defer { gate.close() }
    let busy = try Served(["busy-1"], on: node, onEvent)
    let calm = try Served(["calm-1"], on: node, onEvent)
    for served in [busy, calm] { try served.firstBatch.take()?.get() }
    busy.write("busy-2")
    try #require(entered.take() == true)
    // Files arrive in all folders while that one is hashed. The renames show that the follower has seen them.
    let fresh = try Served(["new-1"], on: node, onEvent)
    for (served, name) in [(busy, "busy"), (calm, "calm")] {
      served.write("\(name)-3")
      served.move("\(name)-1", "\(name)-0")
      try #require(news.includes("\(name)-1 > \(name)-0"))
    }
    gate.close()
    let order = (0..<3).map { _ in news.next { $0.hasPrefix("+") } }
    withExtendedLifetime(fresh) {}
    #expect(order == ["+ new-1", "+ calm-3", "+ busy-3"])
  }
}
