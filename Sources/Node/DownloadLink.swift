// What connections need of the download that they fetch for, and how they tell it what happened.
import Content
import Posix
import Storage
import Transfer
import Wire

/// What loops and verifying threads tell the thread that decides.
enum DownloadMessage: Sendable {
  /// The peer accepts so many requests in flight.
  case connected(ConnectionID, PeerID, requestsMax: Int)
  /// A peer that dialled us opened the file, on a connection of this loop: it can be asked for what it has.
  case joined(ConnectionID, loop: Int, SocketAddress, PeerID, requestsMax: Int)
  case dialFailed(ConnectionID, ConnectionEnd)
  case connectionLost(ConnectionID, ConnectionEnd)
  case opened(ConnectionID, Manifest, isComplete: Bool)
  case refused(ConnectionID, Opened.Refusal)
  case page(ConnectionID, HashPage)
  case busy(ConnectionID, RequestID, Duration)
  case withdrawn(ConnectionID, Withdrawn.Reason)
  case answerBegan(ConnectionID, RequestID)
  case answerEnded(ConnectionID, RequestID)
  /// What the peer says of a file that it has in part, of others, and to others.
  case shared(ConnectionID, PeerNews)
  /// The leaves hash and are written, or on their way through a stream.
  /// `leafHashes`: all those of the chunk, where this piece brought them.
  case verified(
    ConnectionID, RequestID, ChunkIndex, LeafRange, leafHashes: [Digest]?, writing: Duration)
  /// A stream has passed on all bytes below an offset.
  case streamed(below: UInt64)
  /// Its writer has come to its end; nothing more of it follows.
  case streamEnded
  case corrupt(ConnectionID, ChunkIndex)
  case writeFailed(PartFileError)
  /// What is offered to others cannot be read, or is no longer what it was.
  case unreadable(StoredFileError)
  /// Whether the output is there already, and the right file, was found out before any peer was asked.
  case looked((name: String, FoundFile)?)
  /// Where the file goes is known, and made ready.
  case prepared(Result<PreparedStorage, PartFileError>)
  /// What of a page's chunks was in the part file already, also as told to the journal. Nil: the journal had the page.
  case resumed(ConnectionID?, HashPage, [(chunk: ChunkIndex, mask: UInt64)], [JournalEvent])
  case journal(JournalEvent)
  /// By the name's place among those that are looked up.
  case resolved(Int, Result<[SocketAddress], ResolutionFailure>)
  /// Somebody says that this peer is there.
  case hinted(PeerAddress, PeerID)
  /// The download need not wait for more hints, though they may come.
  case discoverySettled(DiscoverySummary)
  case cancelled
}

/// One download's side of all its connections.
final class DownloadLink: Sendable {
  let fileID: FileID
  let blocks: BlockPool
  private let key: FileKey
  private let control: Mailbox<DownloadMessage>
  private let jobs: BlockingQueue<VerifyJob>

  init(
    fileID: FileID, key: FileKey, blocks: BlockPool, control: Mailbox<DownloadMessage>, jobs: BlockingQueue<VerifyJob>
  ) {
    self.fileID = fileID
    self.key = key
    self.blocks = blocks
    self.control = control
    self.jobs = jobs
  }

  /// What its connections are to fetch.
  var fetchTarget: FetchTarget { FetchTarget(fileID: fileID, key: key) }
  func tell(_ message: DownloadMessage) { control.send(message) }
  func verify(_ new: [VerifyJob]) { jobs.put(contentsOf: new) }
}
