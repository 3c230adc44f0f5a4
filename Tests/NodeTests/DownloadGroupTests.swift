// A group passes the updates of several downloads to one thread.
import Content
import Foundation
import Testing
import TestSupport
import Transfer

@testable import PeerNode

struct DownloadGroupTests {
  private func download(_ sample: Sample) -> Download { Download(sample.fileID, isWatched: true) }

  @Test func `a download with many updates does not delay another`() throws {
    let (busy, calm) = (download(.common), download(.small))
    let group = DownloadGroup()
    group.add(busy)
    group.add(calm)
    for i in 0..<1_000 { busy.queue.put(.listing(length: UInt64(i))) }
    calm.queue.put(.listing(length: 7))
    let first = try [#require(group.next()), #require(group.next())]
    #expect(first.contains { $0.download === calm } && first.contains { $0.download === busy })
  }

  @Test func `the end of a download comes after all its updates, also those from before the group`() throws {
    let download = download(.small)
    download.queue.put(.listing(length: 1))
    download.queue.put(.listing(length: 2))
    download.end(.failure(.isRunning(download.fileID)))
    let group = DownloadGroup()
    group.add(download)
    for expected in [1, 2] as [UInt64] {
      guard case .update(.listing(let length)) = try #require(group.next()).news else {
        throw UnexpectedNews()
      }
      #expect(length == expected)
    }
    guard case .ended(.failure(.isRunning)) = try #require(group.next()).news else { throw UnexpectedNews() }
    #expect(group.next() == nil)
  }

  @Test func `the group wakes for an update that arrives while it sleeps`() throws {
    let download = download(.small)
    let group = DownloadGroup()
    group.add(download)
    let other = Thread { download.queue.put(.listing(length: 3)) }
    other.start()
    guard case .update(.listing(length: 3)) = try #require(group.next()).news else { throw UnexpectedNews() }
  }

  private struct UnexpectedNews: Error {}

  @Test func `a download of a listing fails for the ID of a file and leaves nothing behind`() throws {
    let source = try FakeSource()
    defer { source.stop() }
    let folder = TemporaryFolder()
    let node = try Node(NodeConfiguration())
    defer { node.leave() }
    var options = FolderOptions()
    options.isListingOnly = true
    let download = node.download(
      Sample.common.fileID, from: [try #require(PeerSource(parsing: "127.0.0.1:\(source.address.port)"))],
      to: DownloadTarget(folder: folder.path), shares: false, folder: options)
    guard case .failure(.notAFolder(let name, let length)) = download.outcome else {
      Issue.record("\(download.outcome)")
      return
    }
    #expect(name == "sample.bin" && length == UInt64(Sample.common.bytes.count))
    #expect(source.log.requests.isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }
}
