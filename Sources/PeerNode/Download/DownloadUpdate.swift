// What a program hears of a download: events while it runs, its result, and why it did not finish.
import Content
import Posix
import Storage
import Transfer
import Wire

/// An event of a running download. Names are as peers gave them: escape before printing.
public enum DownloadUpdate: Sendable {
  /// The ID is that of a folder. Its listing, of so many bytes, is fetched first. Nothing is reported of that but peers.
  case listing(length: UInt64)
  /// The manifest is verified and the part file is there. For a folder: the listing is verified, the part folder is there,
  /// and `length` is the sum of the files.
  case prepared(name: String, length: UInt64)
  /// What the download of a folder would do, if only that was asked for. Comes last.
  case planned(FolderPlan)
  /// Files of a folder that are complete, so that a program can use them while others are fetched. Each file with bytes
  /// comes once, also if it was there or was copied, and before `report(.started)` if it is soon. After a pause of the
  /// download those that are complete come again. Files without bytes, links and empty folders do not come: they are made
  /// at the end.
  case files(CompletedFiles)
  /// A decision of the engine, or an event that it counts.
  case report(DownloadReport)
  /// A few times a second.
  case progress(DownloadProgress)
  /// The download would have ended, but has patience (`DownloadSettings.patience`), and waits for peers: once a second, and
  /// once more just before it ends without its file. Nil: it waits no longer.
  case waiting(PeerWait?)
  /// The name has no addresses yet. It is looked up again while the download runs; reported once.
  case unresolved(PeerSource, String)
  /// The addresses of a name, also later ones: each is reported once.
  case resolved(PeerSource, [Endpoint])
  /// The result of the search for peers on the network, once the download waits for it no longer.
  case searched(DiscoverySummary)
  /// A dial failed, or a connection ended that the download did not close.
  case peerEnded(Endpoint, PeerID?, ConnectionEnd)
  /// The output is there already, and it is the right file: nothing is fetched. Comes after `prepared`.
  case found(path: String)
  /// Whole chunks of an earlier download that were right, and their bytes.
  case resumed(chunks: Int, bytes: UInt64)
  /// Other peers may dial this address. Comes first.
  case listening(Endpoint)
  /// The file has its name, and stays offered. `cancel` ends that, and the call then returns as if it had not stayed.
  case staying(DownloadResult)
  /// The file that stayed offered has changed.
  case unreadable(StoredFileError)
}

/// A finished download.
public struct DownloadResult: Sendable {
  /// The numbers of the whole download.
  public internal(set) var stats: DownloadStats
  /// The path of the output; nil if it went to standard output.
  public let path: String?
  /// The name of the file, made harmless.
  public let name: String
  /// Whether the right file was there already, so that nothing was fetched.
  public let wasFound: Bool
  /// What was fetched: a file, the contents of a folder, or only the listing of one.
  public let kind: ContentKind
}

/// A download that did not finish. Verified data stays in the part file, for a later download.
public enum DownloadError: Error, Sendable {
  /// The engine gave up, or was cancelled: why, the numbers so far, and the part file that is kept.
  case failed(DownloadFailure, DownloadStats, part: String?)
  /// The output cannot be made or written.
  case storage(PartFileError)
  /// The file of this ID has another length, in bytes, than the caller gave. No peer is to blame.
  case otherLength(expected: UInt64, actual: UInt64)
  /// Only the listing of a folder was asked for, and the ID is that of a file: its name, made harmless, and its length in
  /// bytes.
  case notAFolder(name: String, length: UInt64)
  /// The author of the folder's ID made a listing that breaks a rule. No peer is to blame.
  case badListing(FolderListingFault)
  /// The folder has no path that its filter includes.
  case nothingWanted
  /// The node downloads this file already. A node has one download of a file at a time.
  case isRunning(FileID)
  /// The address cannot be listened on.
  case listen(Endpoint, Errno)
  /// The system refuses resources that a node needs: descriptors, memory.
  case system(Errno)
  /// A setting has a value that it cannot have: of `DownloadSettings`, of `NodeConfiguration`, or the name of the output.
  case invalid(SettingFault)
  /// The node had stopped before the download was started.
  case nodeStopped
}
