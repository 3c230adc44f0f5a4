// How a download ends, message by message, without its threads.
import Content
import Foundation
import Posix
import Storage
import TestSupport
import Testing
import Transfer

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

  @Test func `a download that is cancelled just after its last leaf does not stay`() throws {
    let (download, found) = try download()
    download.handle(found, at: .zero)
    download.handle(.cancelled, at: .zero)  // of the same turn
    fire(download)
    #expect(download.isOver)
    download.node.stop()
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
