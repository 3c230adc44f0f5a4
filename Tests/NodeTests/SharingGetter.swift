// A download that shares its file, on its own thread. Tests connect to it as peers.
import Content
import Posix
import Synchronization
import TestSupport
import Transfer
import Wire

@testable import PeerNode

/// A download that runs until it ends, or until the test cancels it.
final class SharingGetter: Sendable {
  let identity: StaticIdentity
  let folder: TemporaryFolder
  /// The address that it listens on.
  let address: Endpoint
  private let downloader: Downloader
  private let updates: BlockingQueue<DownloadUpdate>
  private let outcome: Box
  private let thread: Mutex<Posix.Thread?>

  init(
    _ fileID: FileID = Sample.common.fileID, from sources: [Endpoint], as identity: StaticIdentity = .random(),
    stay: Sharing.Stay? = nil, into folder: TemporaryFolder = TemporaryFolder()
  ) throws {
    self.folder = folder
    var configuration = NodeConfiguration(identity: identity)
    configuration.loopCount = 2
    let downloader = Downloader(configuration, sharing: Sharing(listen: .loopback(0), stay: stay))
    let (updates, outcome) = (BlockingQueue<DownloadUpdate>(), Box())
    let thread = Posix.Thread.start(name: "getter") {
      let peers = sources.map { PeerSource(host: HostPort(host: $0.host, port: $0.port)) }
      do throws(DownloadError) {
        let result = try downloader.downloadFile(
          fileID, from: peers, to: DownloadTarget(folder: folder.path)
        ) { updates.put($0) }
        outcome.value.withLock { $0 = .success(result) }
      } catch {
        outcome.value.withLock { $0 = .failure(error) }
      }
      updates.close()
    }
    guard case .listening(let address)? = updates.take() else { preconditionFailure("it listens") }
    self.identity = identity
    self.address = address
    self.downloader = downloader
    self.updates = updates
    self.outcome = outcome
    self.thread = Mutex(thread)
  }

  deinit {
    downloader.cancel()
    thread.withLock { $0.take() }?.join()
  }

  private final class Box: Sendable { let value = Mutex<Result<DownloadResult, DownloadError>?>(nil) }

  func cancel() { downloader.cancel() }

  /// Returns the next update that `matches`. Nil if the download ends before.
  func update(_ matches: (DownloadUpdate) -> Bool) -> DownloadUpdate? {
    let watchdog = Watchdog(seconds: 60) { [downloader] in downloader.cancel() }
    defer { withExtendedLifetime(watchdog) {} }
    while let update = updates.take() { if matches(update) { return update } }
    return nil
  }

  /// Waits until the download ends.
  func ended() throws -> DownloadResult {
    _ = update { _ in false }
    return try outcome.value.withLock { $0 }!.get()
  }

  func dial(as identity: StaticIdentity = .random()) throws -> ScriptedPeer {
    try ScriptedPeer(dialling: address, as: identity)
  }
}

extension ScriptedPeer {
  /// Returns the next message that is an answer. Skips requests and announcements, which a getter also sends.
  func answer() throws -> Message { try answerWithLeaves().message }

  func answerWithLeaves() throws -> (message: Message, leaves: [UInt8]) {
    while true {
      let (message, leaves) = try receive()
      switch message {
      case .open, .have, .promised, .peers: continue
      default: return (message, leaves)
      }
    }
  }

  /// Opens a file at a getter and reads its announcements until they include these leaves.
  func openPart(of fileID: FileID, until leaves: LeafRun) throws {
    try send(openMessage(fileID))
    guard case .opened(let opened) = try answer(), case .opened(let file) = opened.outcome,
      file.availability == .partial, case .bitmap(let bitmap) = try answer()
    else { throw SocketEnd.endOfStream }
    let place = Int(leaves.chunk.rawValue)
    var told: UInt64 = bitmap.bits[place / 8] & 0x80 >> UInt8(place % 8) == 0 ? 0 : .max
    while leaves.leaves.mask & ~told != 0 {
      guard case .have(let have) = try receive().message else { continue }
      for run in have.runs where run.chunk == leaves.chunk { told |= run.leaves.mask }
    }
  }
}
