// The kinds of content that a peer's handle can stand for.
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

  /// How a content is cut that is here as a whole; nil: it may be here in part.
  var completeLayout: ChunkLayout? {
    switch self {
    case .entry(let entry, _): entry.layout
    case .download: nil
    case .listing(let open): open.loaded.chunks
    case .contents(let open): open.absent.isEmpty ? open.chunks : nil
    }
  }

  /// The folder that offers it.
  var folder: FolderShare? {
    switch self {
    case .entry(_, let folder): folder
    case .download: nil
    case .listing(let open): open.share
    case .contents(let open): open.share
    }
  }
}

/// The listing of a folder, in memory.
struct OpenListing: Sendable {
  let listing: ServedListing
  let loaded: LoadedListing
  let share: FolderShare

  /// The folder's name, as a suggestion.
  var name: String { share.catalogue.listings.name(of: listing) }
}
