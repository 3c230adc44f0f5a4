// The commands of other threads to a loop, which arrive in its mailbox.
import Content
import Posix
import Storage
import Transfer
import Wire

/// A request of another thread to a loop.
enum LoopCommand: Sendable {
  /// Take over a connection that another loop accepted and admitted under this token.
  case adopt(socket: Int32, from: Endpoint, token: ConnectionToken)
  /// Dial. The sender has taken the token for this loop.
  case dial(ConnectionToken, Endpoint, pinned: PeerID?, suite: CipherSuite)
  /// A download opens its content, and knows the connection by this name.
  case open(ConnectionToken, ConnectionID, DownloadLink)
  case fetchPage(ConnectionToken, DownloadID, page: UInt32)
  case request(ConnectionToken, DownloadID, FetchRequest)
  case cancel(ConnectionToken, DownloadID, RequestID)
  /// A download fetches nothing more over a connection.
  /// - `closing`: the code with which the connection closes once nothing uses it any more; nil: it stays.
  case giveBack(ConnectionToken, DownloadID, closing: CloseCode?)
  case disconnect(ConnectionToken, CloseCode, String)
  /// The admission has decided about a connection.
  case admission(ConnectionAdmission.Order)
  /// The download may take blocks again: its connections that waited for one go on.
  case blocksAvailable(DownloadID)
  /// More files are served than before, or the scan is over.
  case catalogueChanged
  /// An entry is no longer served: a peer that has it open gets another of the same bytes, or hears why.
  case withdraw(CatalogueEntry, Withdrawn.Reason)
  /// A folder is no longer served: peers that have its listing or its contents open hear of it.
  case withdrawFolder(FolderShare)
  /// A chunk of a file will be sent to a connection: the other peers that have the file open hear of it.
  case promised(FileID, ChunkIndex, to: ConnectionToken)
  /// These leaves of a download's file are offered from now on.
  case announce(DownloadShare, [LeafRun])
  /// A download's file is no longer offered.
  case withdrawDownload(DownloadShare, Withdrawn.Reason)
  /// The limits, or the list of allowed peers, have changed.
  case reconfigured
  /// Stop listening, finish what is being sent within the grace period, say goodbye with this code, then end.
  case shutDown(CloseCode, grace: Duration)
}
