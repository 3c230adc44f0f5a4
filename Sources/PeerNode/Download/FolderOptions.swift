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

  /// The whole folder is fetched, into a place where nothing is yet.
  public init() {}
}

/// A listing that is complete, with what the download of the contents needs.
struct ListedFolder: Sendable {
  let manifest: Manifest
  /// Where the listing's bytes are.
  let path: String
  let stats: DownloadStats
  /// Peers that had the listing.
  let peers: [KnownPeer]
}

/// A peer that was connected at an address that this node dialled.
struct KnownPeer: Sendable {
  let address: PeerAddress
  let peer: PeerID
}

/// The contents of a folder that a download fetches into a part folder.
struct FolderContents: Sendable {
  let layout: FolderLayout
  /// Nil: the contents go to a stream.
  let part: PreparedPart?
  let wanted: WantedLeaves
  /// Peers that probably have the contents.
  let peers: [KnownPeer]
}
