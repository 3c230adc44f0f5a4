// The kinds of content that a peer can have open.
import Content
import Storage

/// A content that a peer has open at this node.
enum ServedSource: Sendable {
  /// A file of a folder.
  case entry(CatalogueEntry, FolderShare)
  case download(DownloadShare)
  /// The listing of a folder.
  case listing(OpenListing)
  /// The files of a folder.
  case contents(OpenContents)

  var fileID: FileID {
    switch self {
    case .entry(let entry, _): entry.fileID
    case .download(let share): share.link.fileID
    case .listing(let open): open.listing.folderID
    case .contents(let open): open.listing.contentsID
    }
  }

  /// The layout of a content of which this node has every leaf; nil: some may be missing.
  var completeLayout: ChunkLayout? {
    switch self {
    case .entry(let entry, _): entry.layout
    case .download: nil
    case .listing(let open): open.loaded.chunks
    case .contents(let open): open.absent.isEmpty ? open.chunks : nil
    }
  }

  /// The bytes that this node reads and hashes to answer with the leaf hashes of a chunk; 0 if it keeps the hashes.
  func bytesToHash(for chunk: ChunkIndex) -> Int {
    switch self {
    case .download(let share): share.bytesToHash(for: chunk)
    case .entry, .listing, .contents: 0
    }
  }

  /// The served folder of the content; nil for a download.
  var folder: FolderShare? {
    switch self {
    case .entry(_, let folder): folder
    case .download: nil
    case .listing(let open): open.share
    case .contents(let open): open.share
    }
  }
}

/// A folder's listing, loaded into memory.
struct OpenListing: Sendable {
  let listing: ServedListing
  let loaded: LoadedListing
  let share: FolderShare

  /// The name that a getter may give the folder.
  var name: String { share.catalogue.listings.name(of: listing) }
}
