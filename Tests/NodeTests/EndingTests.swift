// How a download ends, message by message, without its threads.
import Content
import Foundation
import Posix
import Storage
import TestSupport
import Testing
import Transfer
import Wire

@testable import Node

@Suite struct EndingTests {
  private let folder = TemporaryFolder()

  /// A download of a file that is here, which has not been looked for yet, and which is offered until it is cancelled.
  private func download(updates: @escaping (DownloadUpdate) -> Void = { _ in }) throws -> (
    download: DownloadRun, found: DownloadMessage
  ) {
    let path = folder.path + "/disk.img"
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
    let fileID = try hashFile(path).fileID
    let content = try PartFile.content(of: "disk.img", inFolder: folder.path, fileID: fileID, length: nil) { false }
    guard case .wanted(let file) = content else { throw Errno(code: 0, call: "look", subject: path) }
    var configuration = NodeConfiguration()
    configuration.loopCount = 1
    let download = DownloadRun(
      fileID, length: nil, peers: [], target: DownloadTarget(folder: folder.path),
      on: try FetchingNode(configuration, listen: nil), settings: DownloadSettings(),
      sharing: Sharing(stay: .untilCancelled), resolve: { _ in [] }, control: try Mailbox(), onUpdate: updates,
      at: .zero)
    return (download, .looked((name: "disk.img", file: file)))
  }

  /// Two turns of the control thread: in the second the last messages of the threads are heard.
  private func fire(_ download: DownloadRun) {
    for _ in 0..<2 where !download.isOver { download.fire(at: .zero) }
  }

  @Test func `a finished file stays offered until it is cancelled`() throws {
    var isStaying = false
    let (download, found) = try download { if case .staying = $0 { isStaying = true } }
    download.handle(found, at: .zero)
    #expect(download.deadline == .zero, "it ends at once")
    fire(download)
    #expect(isStaying && !download.isOver && download.deadline == nil)
    download.handle(.cancelled, at: .zero)
    #expect(try download.result.get().wasFound)
    download.node.stop()
  }

  @Test func `a download that is cancelled in the turn of its last leaf does not stay`() throws {
    let (other, found) = try download()
    guard case .looked((_, let file)?) = found else { preconditionFailure("it was found") }
    let copies = TemporaryFolder()
    let control = try Mailbox<DownloadMessage>()
    let id = ConnectionID(1)  // the brain's first
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: 1))
    let download = DownloadRun(
      other.link.fileID, length: nil, peers: [peer], target: DownloadTarget(folder: copies.path), on: other.node,
      settings: DownloadSettings(), sharing: Sharing(stay: .untilCancelled), resolve: { _ in [] }, control: control,
      onUpdate: { _ in }, at: .zero)
    func turn(_ messages: [DownloadMessage]) {
      for message in messages { download.handle(message, at: .zero) }
      download.fire(at: .zero)
    }
    try download.begin(at: .zero)
    let tree = file.tree
    let manifest = Manifest(kind: .file, layout: tree.pages.layout, root: tree.root, suggestedName: "disk.img")
    let name = StaticIdentity(secret: .random()).peerID
    turn([.connected(id, name, requestsMax: 64), .peer(id, .opened(manifest, isComplete: true))])
    var epoll = try Epoll()
    try epoll.add(control.number, token: 0, .readable)
    try epoll.wait(milliseconds: 10_000) { _, _ in }
    turn(control.takeAll())  // the part file is there
    turn([.peer(id, .page(try #require(tree.page(PageIndex(0)))))])
    var asked: FetchRequest?
    for mailbox in other.node.context.mailboxes {
      for case .request(_, let request) in mailbox.takeAll() { asked = request }
    }
    let request = try #require(asked)
    let verified = DownloadMessage.verified(
      id, request.id, request.chunk, request.leaves, leafHashes: nil, writing: .zero)
    turn([verified, .cancelled])
    turn(control.takeAll())  // the last messages of its threads
    #expect(download.isOver, "it stays, though it was cancelled")
    other.node.stop()
  }

  @Test func `a file that changes while it stays ends the stay`() throws {
    var errors: [StoredFileError] = []
    let (download, found) = try download { if case .unreadable(let error) = $0 { errors.append(error) } }
    download.handle(found, at: .zero)
    fire(download)
    download.handle(.unreadable(.changed(path: "disk.img")), at: .zero)
    #expect(download.isOver && errors.count == 1)
    download.node.stop()
  }

  @Test func `a peer that names another length ends the download before its file is touched`() throws {
    let (other, _) = try download()
    let layout = try #require(ChunkLayout(fileLength: 7))
    let download = DownloadRun(
      other.link.fileID, length: 3, peers: [], target: DownloadTarget(folder: folder.path),
      on: other.node, settings: DownloadSettings(), sharing: nil, resolve: { _ in [] }, control: try Mailbox(),
      onUpdate: { _ in }, at: .zero)
    let manifest = Manifest(kind: .file, layout: layout, root: .zero, suggestedName: "other")
    download.handle(.peer(ConnectionID(1), .opened(manifest, isComplete: true)), at: .zero)
    fire(download)
    guard case .failure(.otherLength(expected: 3, actual: 7)) = download.result else {
      Issue.record("\(download.result)")
      return
    }
    other.node.stop()
  }
}
