// A downloader that is cancelled before its download starts.
import Content
import Posix
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

@Suite struct CancellingTests {
  /// Runs a download whose only peer is an address without a listener. Returns why it fails.
  func failure(_ downloader: Downloader, in folder: TemporaryFolder) throws -> DownloadFailure? {
    let socket = try Socket.listening(on: Endpoint(ipv4: (127, 0, 0, 1), port: 0))
    let port = try socket.localAddress().port
    _ = consume socket
    let fileID = FileID(kind: .file, length: 1, root: .zero)
    let peer = PeerSource(host: HostPort(host: "127.0.0.1", port: port))
    do throws(DownloadError) {
      _ = try downloader.downloadFile(fileID, from: [peer], to: DownloadTarget(folder: folder.path))
    } catch {
      if case .failed(let failure, _, _) = error { return failure }
    }
    return nil
  }

  @Test func `cancelling a downloader before its start cancels one download, and the next one runs`() throws {
    let folder = TemporaryFolder()
    let downloader = Downloader(NodeConfiguration(identity: .random()))
    downloader.cancel()  // before it has started, as a signal may come
    #expect(try failure(downloader, in: folder) == .cancelled)
    guard case .unreachable? = try failure(downloader, in: folder) else {
      Issue.record("something of the first download met the second")
      return
    }
  }
}
