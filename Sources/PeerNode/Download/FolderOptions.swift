// Options for the download of a folder, and the values that its two parts exchange.
import Content
import Storage
import Transfer
import Wire

/// How a download treats an ID that names a folder.
public struct FolderOptions: Sendable {
  /// Whether only the listing is fetched. The result is then the listing's own file. If the ID names a file, the
  /// download fails with `notAFolder`, and nothing is fetched.
  public var isListingOnly = false
  /// Whether the download only reports what it would do, as `DownloadUpdate.planned`. It fetches only the listing, and
  /// writes nothing to the output.
  public var isPlanOnly = false
  /// The paths of the folder that are fetched. Others are left alone, and a stream leaves them out.
  public var filter = FolderFilter()
  /// Folders whose files are copied instead of fetched if they have the same bytes. These folders are never changed.
  public var reusedFolders: [String] = []
  /// An existing folder that keeps the hashes of files, so that a later update need not read them again. Nil: files are
  /// hashed each time.
  public var stateFolder: String?
  /// Whether an existing output is changed to this version. If not, an existing output is an error, unless it is this
  /// version already, or the caller named it and it holds only files of this version.
  public var updates = false
  /// Whether an update at its end removes names that the version does not have. It removes only names that a listing
  /// could have and `filter` includes, that existed when the update began, and that no listed path leads to.
  public var deletes = false
  /// Whether hidden names are removed, too.
  public var deletesHidden = false
  /// Whether an update accepts an output that has little in common with the version. If not, that is an error, since
  /// the user probably meant another folder.
  public var acceptsStrangeOutput = false

  /// Makes the defaults: the whole folder is fetched, into a place where nothing exists yet.
  public init() {}

  /// Returns the options for an existing output.
  /// - `isNamed`: whether the caller named the output.
  func output(isNamed: Bool) -> FolderUpdateOptions {
    var options = FolderUpdateOptions()
    options.changes = updates ? .all : isNamed ? .additions : .none
    options.filter = filter
    options.reusedFolders = reusedFolders
    options.stateFolder = stateFolder
    options.deletes = deletes
    options.deletesHidden = deletesHidden
    options.acceptsStrangeOutput = acceptsStrangeOutput
    return options
  }
}

/// A complete listing, with the facts that the download of the contents needs.
struct ListedFolder: Sendable {
  let manifest: Manifest
  /// The path of the listing's file.
  let path: String
  let stats: DownloadStats
  /// The peers that had the listing.
  let peers: [KnownPeer]
  /// The served side of the listing's download.
  let share: DownloadShare
}

/// A peer that was connected, and the address at which this node dialled it.
struct KnownPeer: Sendable {
  let address: PeerAddress
  let peer: PeerID
}

/// The contents of a folder that a download fetches into a part folder.
struct FolderContents: Sendable {
  let layout: FolderLayout
  let manifest: Manifest
  /// Nil: the contents go to a stream.
  let part: PreparedPart?
  let wanted: WantedLeaves
  /// The entries of the listing that the output gets.
  let entries: EntrySet
  /// Leaves that the output has without fetching them. They are offered to other peers.
  var held = WantedLeaves.none
  /// Whether no leaf is missing, so that the contents are only offered.
  var isHere = false
  /// The files, for reports to the program.
  let files: FolderFiles
  /// Peers that probably have the contents.
  let peers: [KnownPeer]
}
