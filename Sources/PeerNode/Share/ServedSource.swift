// The two kinds of content that a peer's handle can stand for.
import Content
import Storage

/// A content that a peer has open at this node.
enum ServedSource: Sendable {
  /// A file of a folder.
  case entry(CatalogueEntry, FolderShare)
  case download(DownloadShare)

  var fileID: FileID {
    switch self {
    case .entry(let entry, _): entry.fileID
    case .download(let share): share.link.fileID
    }
  }
}
