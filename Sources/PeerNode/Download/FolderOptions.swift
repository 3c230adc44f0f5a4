// What a program says about a folder that it fetches, and what it hears of it.
import Content
import Storage
import Transfer
import Wire

/// How a download treats the ID of a folder.
public struct FolderOptions: Sendable {
  /// Whether only the listing is fetched. The result is then the listing's own file. If the ID is that of a file, the
  /// download fails with `notAFolder`, and nothing is fetched.
  public var isListingOnly = false
  /// Whether the download only tells what it would do, as `DownloadUpdate.planned`. Nothing is fetched but the listing,
  /// and nothing is written to the output.
  public var isPlanOnly = false
  /// Which paths of the folder are fetched. The other ones are left alone. A stream has the paths that are fetched.
  public var filter = FolderFilter()
  /// Folders whose files are copied instead of fetched, if they are the same. None of their files is changed.
  public var reusedFolders: [String] = []
  /// A folder that remembers what files hash to, so that a later update does not read them. It must exist. Nil: files are
  /// hashed each time.
  public var stateFolder: String?
  /// Whether an output that is there already is brought to this version. If not, it is an error, unless the output is this
  /// version, or the caller named it and it holds nothing else than a part of this version.
  public var updates = false
  /// Whether an update removes names that the version does not have, at its end: only names that a listing could have
  /// and `filter` includes, that were there when the update began, and that no listed path leads to.
  public var deletes = false
  /// Whether hidden names are removed, too.
  public var deletesHidden = false
  /// Whether the output may have little to do with the version. If not, an update of such a folder is an error: likely
  /// the user means another one.
  public var acceptsStrangeOutput = false

  /// The whole folder is fetched, into a place where nothing is yet.
  public init() {}

  /// The part of them that is about the output.
  /// - `isNamed`: whether the caller named it.
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

/// A listing that is complete, with what the download of the contents needs.
struct ListedFolder: Sendable {
  let manifest: Manifest
  /// Where the listing's bytes are.
  let path: String
  let stats: DownloadStats
  /// Peers that had the listing.
  let peers: [KnownPeer]
  /// The served side of its download.
  let share: DownloadShare
}

/// A peer that was connected at an address that this node dialled.
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
  /// Leaves that are there without being fetched: other peers may have them.
  var held = WantedLeaves.none
  /// Whether no leaf is missing, and the contents are only offered.
  var isHere = false
  /// What the program hears of its files.
  let files: FolderFiles
  /// Peers that probably have the contents.
  let peers: [KnownPeer]
}
