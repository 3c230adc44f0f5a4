// How a download ends, message by message, without its threads.
import Content
import Foundation
import Posix
import Storage
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

@Suite struct EndingTests {
  private let folder = TemporaryFolder()

  /// A download on a node whose loops do not run. The test runs its turns.
  private final class Turned {
    let context: NodeContext
    let run: DownloadRun
    var updates: [DownloadUpdate] { seen.all }
    private let seen: Updates
    private var epoll: Epoll

    private final class Updates { var all: [DownloadUpdate] = [] }

    init(
      _ fileID: FileID, length: UInt64? = nil, peers: [PeerSource] = [], into folder: TemporaryFolder,
      sharing: Sharing? = Sharing(stay: .untilCancelled)
    ) throws {
      var configuration = NodeConfiguration()
      configuration.loopCount = 1
      let seen = Updates()
      self.seen = seen
      context = try NodeContext(configuration) { _ in }
      run = DownloadRun(
        DownloadRun.link(to: fileID, of: context), length: length, peers: peers,
        target: DownloadTarget(folder: folder.path), on: context, over: NodeConnections(context),
        settings: DownloadSettings(), sharing: sharing, resolve: { _ in [] }, onUpdate: { seen.all.append($0) },
        at: .zero)
      epoll = try Epoll(capacity: 1)
      try epoll.add(context.control.number, token: 0, .readable)
    }

    deinit {
      run.leave()
      context.threads.stop()
    }

    /// Runs a turn of the control thread with these messages.
    func turn(_ messages: [DownloadMessage] = []) {
      for message in messages { run.handle(message, at: .zero) }
      if !run.isOver { run.fire(at: .zero) }
    }

    /// Runs turns with the messages of other threads until a condition holds.
    func turn(until isDone: (Turned) -> Bool) throws {
      while !isDone(self) {
        if run.deadline != .zero {
          var isReady = false
          try epoll.wait(milliseconds: 10_000) { _, _ in isReady = true }
          try #require(isReady, "no message comes")
        }
        turn(
          context.control.takeAll().compactMap { message in
            if case .message(run.link.id, let message) = message { message } else { nil }
          })
      }
    }

    var isStaying: Bool { updates.contains { if case .staying = $0 { true } else { false } } }
  }

  /// Returns a download of a file that is here but was not looked for yet. It would be offered until it is cancelled.
  private func download() throws -> (download: Turned, found: DownloadMessage) {
    let path = folder.path + "/disk.img"
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
    let fileID = try hashFile(path).fileID
    let content = try PartFile.content(of: "disk.img", inFolder: folder.path, fileID: fileID, length: nil) { false }
    guard case .wanted(let file) = content else { throw Errno(code: 0, call: "look", subject: path) }
    return (try Turned(fileID, into: folder), .looked((name: "disk.img", file: file)))
  }

  @Test func `a finished file stays offered until it is cancelled`() throws {
    let (download, found) = try download()
    download.run.handle(found, at: .zero)
    #expect(download.run.deadline == .zero, "it ends at once")
    try download.turn { $0.isStaying }
    #expect(!download.run.isOver && download.run.deadline == nil)
    download.turn([.cancelled])
    #expect(try download.run.result.get().wasFound)
  }

  /// Returns a download of one chunk whose only request a peer has answered.
  private func lastLeaf(into copies: TemporaryFolder) throws -> (download: Turned, verified: DownloadMessage) {
    let (other, found) = try download()
    guard case .looked((_, let file)?) = found else { preconditionFailure("it was found") }
    let id = ConnectionID(1)  // the first that the brain assigns
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: 1))
    let download = try Turned(other.run.link.fileID, peers: [peer], into: copies)
    download.run.begin(at: .zero)
    let tree = file.tree
    let manifest = Manifest(kind: .file, layout: tree.pages.layout, root: tree.root, suggestedName: "disk.img")
    let name = StaticIdentity(secret: .random()).peerID
    download.turn([.connected(id, name, requestsMax: 64), .peer(id, .opened(manifest, isComplete: true))])
    try download.turn { $0.run.output.part != nil }
    download.turn([.peer(id, .page(try #require(tree.page(PageIndex(0)))))])
    var asked: FetchRequest?
    for mailbox in download.context.mailboxes {
      for case .request(_, _, let request) in mailbox.takeAll() { asked = request }
    }
    let request = try #require(asked)
    return (
      download, .verified(id, request.id, request.chunk, request.leaves, needed: .max, leafHashes: nil, writing: .zero)
    )
  }

  @Test func `a download that is cancelled together with its last leaf does not stay`() throws {
    let copies = TemporaryFolder()
    let (download, verified) = try lastLeaf(into: copies)
    download.turn([verified, .cancelled])
    try download.turn { $0.run.isOver || $0.isStaying && $0.run.deadline == nil }
    #expect(download.run.isOver, "it stays, though it was cancelled")
    #expect(copies.exists("disk.img"))
  }

  @Test func `a write that fails after the last leaf is reported, and the file gets no name`() throws {
    let copies = TemporaryFolder()
    let (download, verified) = try lastLeaf(into: copies)
    download.turn([verified])
    #expect(!download.run.isOver, "its work has not ended")
    // A second answer to the same request was still being written.
    download.turn([.writeFailed(.io(Errno(code: Errno.inputOutput, call: "pwrite", subject: "disk.img")))])
    try download.turn { $0.run.isOver }
    guard case .failure(.storage(.io(let errno))) = download.run.result else {
      Issue.record("\(download.run.result)")
      return
    }
    #expect(errno.call == "pwrite" && !copies.exists("disk.img"))
  }

  @Test func `a change of the finished file ends its offer`() throws {
    let (download, found) = try download()
    download.turn([found])
    try download.turn { $0.isStaying }
    download.turn([.unreadable(.changed(path: "disk.img"))])
    let errors = download.updates.filter { if case .unreadable = $0 { true } else { false } }
    #expect(download.run.isOver && errors.count == 1)
  }

  @Test func `a peer that names another length ends the download before its file is touched`() throws {
    let (other, _) = try download()
    let layout = try #require(ChunkLayout(fileLength: 7))
    let download = try Turned(other.run.link.fileID, length: 3, into: folder, sharing: nil)
    let manifest = Manifest(kind: .file, layout: layout, root: .zero, suggestedName: "other")
    download.turn([.peer(ConnectionID(1), .opened(manifest, isComplete: true))])
    try download.turn { $0.run.isOver }
    guard case .failure(.otherLength(expected: 3, actual: 7)) = download.run.result else {
      Issue.record("\(download.run.result)")
      return
    }
  }
}
