// The two kinds of served file that a peer's handle can stand for.
import Content
import Storage

/// A file that a peer has open at this node.
enum ServedSource: Sendable {
  case entry(CatalogueEntry)
  case download(DownloadShare)

  var fileID: FileID {
    switch self {
    case .entry(let entry): entry.fileID
    case .download(let share): share.link.fileID
    }
  }
}
