// The commands of other threads to a loop, which arrive in its mailbox.
import Content
import Posix
import Storage
import Transfer
import Wire

/// A request of another thread to a loop.
enum LoopCommand: Sendable {
  /// Take over a connection that another loop accepted and admitted under this token.
  case adopt(socket: Int32, from: Endpoint, token: UInt64)
  case dial(ConnectionID, Endpoint, pinned: PeerID?, suite: CipherSuite, DownloadLink)
  case open(ConnectionID)
  case fetchPage(ConnectionID, page: UInt32)
  case request(ConnectionID, FetchRequest)
  case cancel(ConnectionID, RequestID)
  case disconnect(ConnectionID, CloseCode, String)
  /// The admission has decided about a connection.
  case admission(ConnectionAdmission.Order)
  /// The download may take blocks again: its connections that waited for one go on.
  case blocksAvailable(DownloadID)
  /// More files are served than before, or the scan is over.
  case catalogueChanged
  /// An entry is no longer served: a peer that has it open gets another of the same bytes, or hears why.
  case withdraw(CatalogueEntry, Withdrawn.Reason)
  /// A chunk of a file will be sent to a connection: the other peers that have the file open hear of it.
  case promised(FileID, ChunkIndex, to: ContentSwarms.Member)
  /// These leaves of the download's file are offered from now on.
  case announce([LeafRun])
  /// The download is over: nothing is asked for any more.
  case stopFetching
  /// The download's file is no longer offered.
  case withdrawDownload(Withdrawn.Reason)
  /// The limits, or the list of allowed peers, have changed.
  case reconfigured
  /// Stop listening, finish what is being sent within the grace period, say goodbye with this code, then end.
  case shutDown(CloseCode, grace: Duration)
}
