// The part of a download that its connections use: the file that they fetch, blocks, and the way to its threads.
import Content
import Posix
import Storage
import Transfer
import Wire

/// One download's side of all its connections.
final class DownloadLink: Sendable {
  let fileID: FileID
  let key: FileKey
  let blocks: BlockPool
  /// Pieces that wait to be verified.
  let jobs: BlockingQueue<VerifyJob>
  let control: Mailbox<DownloadMessage>

  init(
    fileID: FileID, key: FileKey, blocks: BlockPool, control: Mailbox<DownloadMessage>, jobs: BlockingQueue<VerifyJob>
  ) {
    self.fileID = fileID
    self.key = key
    self.blocks = blocks
    self.control = control
    self.jobs = jobs
  }

  /// The file that its connections fetch.
  var fetchTarget: FetchTarget { FetchTarget(fileID: fileID, key: key) }
  func send(_ message: DownloadMessage) { control.send(message) }
  func verify(_ new: [VerifyJob]) { jobs.put(contentsOf: new) }
}
