// Which of the two kinds of served file a handle stands for.
import Content
import Storage

/// A file that a peer has open here.
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
