// The commands that other threads send to a loop's mailbox.
import Content
import Posix
import Storage
import Transfer
import Wire

/// A command for a loop.
enum LoopCommand: Sendable {
  /// Take over a connection that another loop accepted and admitted under this token.
  case adopt(socket: Int32, from: Endpoint, token: ConnectionToken)
  /// Dial an address. The sender took the token for this loop.
  case dial(ConnectionToken, Endpoint, pinned: PeerID?, suite: CipherSuite)
  /// Open a download's content on a connection, which the download knows by this name.
  case open(ConnectionToken, ConnectionID, DownloadLink)
  case fetchPage(ConnectionToken, DownloadID, page: UInt32)
  case request(ConnectionToken, DownloadID, FetchRequest)
  case cancel(ConnectionToken, DownloadID, RequestID)
  /// A download fetches nothing more over a connection.
  /// - `closing`: the code with which the connection closes once nothing else uses it; nil: it stays open.
  case giveBack(ConnectionToken, DownloadID, closing: CloseCode?)
  case disconnect(ConnectionToken, CloseCode, String)
  /// Carry out a decision of the admission about a connection.
  case admission(ConnectionAdmission.Order)
  /// The download may take memory blocks again: its connections that wait for one continue.
  case blocksAvailable(DownloadID)
  /// The served contents have changed, or the scan is over: look again at OPENs that wait.
  case catalogueChanged
  /// An entry is no longer served. A peer that has it open gets another file with the same bytes, or is sent the
  /// reason.
  case withdraw(CatalogueEntry, Withdrawn.Reason)
  /// A folder is no longer served. Notify peers that have its listing or its contents open.
  case withdrawFolder(FolderShare)
  /// A chunk of a file will be sent to a connection. Send PROMISED to the other peers that have the file open.
  case promised(FileID, ChunkIndex, to: ConnectionToken)
  /// Announce these leaves of a download's file, which are offered from now on.
  case announce(DownloadShare, [LeafRun])
  /// A download's file is no longer offered.
  case withdrawDownload(DownloadShare, Withdrawn.Reason)
  /// The limits or the list of allowed peers have changed.
  case reconfigured
  /// Stop listening, finish uploads within the grace period, send GOODBYE with this code, then end.
  case shutDown(CloseCode, grace: Duration)
}
