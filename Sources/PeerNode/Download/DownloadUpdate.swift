// The reports of a download to its program: updates while it runs, its result, and its errors.
import Content
import Posix
import Storage
import Transfer
import Wire

/// An event of a running download. Names come unchanged from peers: escape them before printing.
public enum DownloadUpdate: Sendable {
  /// The ID names a folder. Its listing, of this many bytes, is fetched first. Meanwhile only peers are reported.
  case listing(length: UInt64)
  /// The manifest is verified and the part file exists. For a folder: the listing is verified, the part folder exists,
  /// and `length` is the sum of the files in bytes.
  case prepared(name: String, length: UInt64)
  /// What the download of a folder would do, if only a plan was wanted. The last update.
  case planned(FolderPlan)
  /// Files of a folder that are complete, so that a program can use them while others are fetched. Each file with bytes
  /// is reported once, even if it existed or was copied; that may be before `report(.started)`. After a pause, complete
  /// files are reported again. Files without bytes, links and empty folders are not reported: they are made at the end.
  case files(CompletedFiles)
  /// A decision of the engine, or an event that it counts.
  case report(DownloadReport)
  /// The progress, a few times a second.
  case progress(DownloadProgress)
  /// The download waits for peers; without patience (`DownloadSettings.patience`) it would have ended. Reported once a
  /// second, and once more just before it ends without its file. Nil: it waits no longer.
  case waiting(PeerWait?)
  /// The host name has no addresses yet, and the reason. It is looked up again while the download runs, but reported
  /// once.
  case unresolved(PeerSource, String)
  /// New addresses of a host name. Each is reported once.
  case resolved(PeerSource, [Endpoint])
  /// The result of the search for peers, when the download waits for it no longer.
  case searched(DiscoverySummary)
  /// A dial failed, or a connection ended that the download did not close itself.
  case peerEnded(Endpoint, PeerID?, ConnectionEnd)
  /// The output exists already and is the right file, so nothing is fetched. Comes after `prepared`.
  case found(path: String)
  /// The number of correct whole chunks from an earlier download, and their bytes.
  case resumed(chunks: Int, bytes: UInt64)
  /// Other peers may dial this address. The first update.
  case listening(Endpoint)
  /// The file has its name and stays offered. After `cancel`, the download ends successfully with this result.
  case staying(DownloadResult)
  /// The file that stays offered has changed or cannot be read. The download ends.
  case unreadable(StoredFileError)
}

/// The result of a finished download.
public struct DownloadResult: Sendable {
  /// The statistics of the whole download.
  public internal(set) var stats: DownloadStats
  /// The path of the output; nil if it went to a stream, or was only planned.
  public let path: String?
  /// The name of the output, made safe.
  public let name: String
  /// Whether the right file existed already, so that nothing was fetched.
  public let wasFound: Bool
  /// The kind of content: a file, the contents of a folder, or only a folder's listing.
  public let kind: ContentKind
}

/// Why a download did not finish. Verified data stays in the part file for a later download.
public enum DownloadError: Error, Sendable {
  /// The engine failed or was cancelled: the reason, the statistics so far, and the part file that is kept.
  case failed(DownloadFailure, DownloadStats, part: String?)
  /// The output cannot be made or written.
  case storage(PartFileError)
  /// The file of this ID has another length in bytes than the caller expected. No peer is to blame.
  case otherLength(expected: UInt64, actual: UInt64)
  /// Only the listing of a folder was wanted, but the ID names a file: its name, made safe, and its length in bytes.
  case notAFolder(name: String, length: UInt64)
  /// The folder's listing breaks a rule. Its author is to blame, not a peer.
  case badListing(FolderListingFault)
  /// The filter includes no path of the folder.
  case nothingWanted
  /// The node already downloads this file. It runs one download of a file at a time.
  case isRunning(FileID)
  /// The node cannot listen on the address.
  case listen(Endpoint, Errno)
  /// The system refuses descriptors or memory that a node needs.
  case system(Errno)
  /// An invalid value: of `DownloadSettings`, of `NodeConfiguration`, of a peer's address, or the name of the output.
  case invalid(SettingFault)
  /// The node had stopped before the download was started.
  case nodeStopped
}
