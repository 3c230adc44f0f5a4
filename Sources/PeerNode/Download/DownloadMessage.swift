// The messages for a download, which other threads send to the control thread.
import Content
import Posix
import Storage
import Transfer
import Wire

/// A message for one download. The control thread turns each into a few events of `DownloadState` at most.
enum DownloadMessage: Sendable {
  // From the loops, the first five by way of `NodeConnections`.
  /// The handshake of a dialled connection is done.
  /// - `requestsMax`: the most unanswered requests that the peer accepts.
  case connected(ConnectionID, PeerID, requestsMax: Int, zone: ZoneName? = nil)
  /// A peer has opened the file at this node, so it can be asked for the parts that it has.
  case joined(ConnectionID, Endpoint, PeerID, requestsMax: Int, zone: ZoneName? = nil)
  /// A dialled connection ended before its handshake was done.
  case dialFailed(ConnectionID, ConnectionEnd)
  case connectionLost(ConnectionID, ConnectionEnd)
  /// The content was closed on a connection that other downloads use, because the output takes no data.
  case yielded(ConnectionID)
  /// News from a peer, as the connection's session gave it.
  case peer(ConnectionID, PeerNews)
  /// The file that is offered to peers cannot be read, or has changed.
  case unreadable(StoredFileError)

  // From the verifying threads.
  /// The leaves are verified. Those in the mask `needed` (bit 0 is the chunk's first leaf) are written, or passed to
  /// the stream.
  /// - `leafHashes`: all leaf hashes of the chunk; nil if this piece did not bring them.
  case verified(
    ConnectionID, RequestID, ChunkIndex, LeafRange, needed: UInt64, leafHashes: [Digest]?, writing: Duration)
  case corrupt(ConnectionID, ChunkIndex)
  case writeFailed(PartFileError)

  // From the other work of the output.
  /// The right file that was found at the place of the output before any peer was asked; nil: none.
  case looked((name: String, file: FoundFile)?)
  /// The place of the output is ready, or cannot be made ready.
  case prepared(Result<PreparedStorage, PartFileError>)
  /// The leaves of a page's chunks that the part file had already, also as events for the journal. Without a
  /// connection, the page came from the journal.
  case resumed(ConnectionID?, HashPage, [(chunk: ChunkIndex, mask: UInt64)], [JournalEvent])
  /// The leaves that the part file had of chunks that several files of a folder share. Sent for some chunks at a time.
  case comparedShared([(chunk: ChunkIndex, mask: UInt64)], [JournalEvent], isLast: Bool)
  case journal(JournalEvent)
  /// One of the output's queues has ended, and sends nothing more.
  case workEnded
  /// The last job, after all queues: the output has its name, or the verified data of a failed download is on the disk.
  case finished(Result<FinishedOutput, PartFileError>)
  /// A stream has passed on all bytes below an offset.
  case streamed(below: UInt64)
  /// The writer of the stream has ended, and sends nothing more.
  case streamEnded

  // From the search for peers.
  /// The answer of a look-up. The number is the index of the name.
  case resolved(Int, Result<[Endpoint], ResolutionFailure>)
  /// Discovery found this peer at this address.
  case hinted(PeerAddress, PeerID)
  /// The download waits for the search no longer, though it may find more peers later.
  case discoverySettled(DiscoverySummary)

  /// The contents of the folder are fetched now, over the connections that fetched the listing.
  case contentsBegan

  // From the program.
  case cancelled
  case statisticsWanted(@Sendable (DownloadStats?) -> Void)
}
