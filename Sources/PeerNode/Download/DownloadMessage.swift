// The reports of a node's threads, and of those of a download's output, to the control thread.
import Content
import Posix
import Storage
import Transfer
import Wire

/// A report for one download. The control thread turns each into at most a few events of the brain.
enum DownloadMessage: Sendable {
  // From the loops, the first five by way of `NodeConnections`.
  /// The peer accepts so many requests in flight.
  case connected(ConnectionID, PeerID, requestsMax: Int, zone: ZoneName? = nil)
  /// A peer has opened the file at this node: it can be asked for what it has.
  case joined(ConnectionID, Endpoint, PeerID, requestsMax: Int, zone: ZoneName? = nil)
  /// The end came before the handshake was done.
  case dialFailed(ConnectionID, ConnectionEnd)
  case connectionLost(ConnectionID, ConnectionEnd)
  /// The content was given back on a connection that other downloads use, because the output takes nothing.
  case yielded(ConnectionID)
  /// As the connection's session gave it.
  case peer(ConnectionID, PeerNews)
  /// The file that is offered to others cannot be read, or has changed.
  case unreadable(StoredFileError)

  // From the verifying threads.
  /// The leaves hash. Those in `needed`, bit 0 the chunk's first, are written, or on their way through a stream.
  /// `leafHashes`: all those of the chunk; nil if this piece did not bring them.
  case verified(
    ConnectionID, RequestID, ChunkIndex, LeafRange, needed: UInt64, leafHashes: [Digest]?, writing: Duration)
  case corrupt(ConnectionID, ChunkIndex)
  case writeFailed(PartFileError)

  // From the other work of the output.
  /// Whether the place of the output holds the right file already, found out before any peer was asked.
  case looked((name: String, file: FoundFile)?)
  /// The place of the file is known and ready.
  case prepared(Result<PreparedStorage, PartFileError>)
  /// The leaves of a page's chunks that were in the part file already, also as events of the journal. Nil: the journal had
  /// the page.
  case resumed(ConnectionID?, HashPage, [(chunk: ChunkIndex, mask: UInt64)], [JournalEvent])
  /// The same for some of the chunks that files of a folder share.
  case comparedShared([(chunk: ChunkIndex, mask: UInt64)], [JournalEvent], isLast: Bool)
  case journal(JournalEvent)
  /// A queue of the output's work has ended: it sends nothing more.
  case workEnded
  /// After all such queues: the output has its name, or what is kept is on the disk.
  case finished(Result<FinishedOutput, PartFileError>)
  /// A stream has passed on all bytes below an offset.
  case streamed(below: UInt64)
  /// The writer of the stream has ended; it sends nothing more.
  case streamEnded

  // From the search for peers.
  /// By the name's place among those that are looked up.
  case resolved(Int, Result<[Endpoint], ResolutionFailure>)
  /// Another node says that this peer is there.
  case hinted(PeerAddress, PeerID)
  /// The download need not wait for more hints, though they may come.
  case discoverySettled(DiscoverySummary)

  /// The contents of the folder are fetched now, over the connections that the listing came on.
  case contentsBegan

  // From the program.
  case cancelled
  case statisticsWanted(@Sendable (DownloadStats?) -> Void)
}
