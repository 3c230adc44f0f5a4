// The contents that a connection fetches, each for one download, and the memory blocks for their pieces.
import Posix
import Transfer
import Wire

/// A block whose bytes wait to be verified and written.
struct VerifyJob: Sendable {
  let connection: ConnectionID
  let piece: FetchedPiece
  let block: Block
  /// The download that the piece is for.
  let link: DownloadLink
}

/// One content that a connection fetches.
struct Fetching {
  /// The download's name for the connection.
  let id: ConnectionID
  let link: DownloadLink
  /// The handle of the content at the other end.
  let handle: FileHandle
}

/// All contents that a connection fetches.
struct Fetches {
  /// An array, since there are few and a search is faster than a table.
  private(set) var contents: [Fetching] = []
  /// Downloads that were told that the peer opened their content here. Each opens it at the peer soon, or never.
  private(set) var offered: Set<DownloadID> = []
  /// Whether the control thread knows the connection, because a download dialled it or was told of it.
  var isKnownToControl: Bool
  /// The code with which the connection closes once no download uses it and the peer has nothing open here. Nil: it
  /// stays open.
  var closesWhenUnused: CloseCode?
  /// When a ping was sent for a download that began to use the silent connection; nil: none is unanswered.
  var probedAt: Instant?
  /// The download whose answer comes next but which may not take a block, and since when.
  var starving: (download: DownloadID, since: Instant)?
  /// The block for the next DATA frame, and the download that gave it.
  var spare: (block: Block, link: DownloadLink)?
  /// Pieces that were received in this turn.
  var finishedJobs: [VerifyJob] = []

  /// - `isDialled`: whether a download dialled the connection.
  init(isDialled: Bool) { isKnownToControl = isDialled }

  /// Whether no download uses or may soon use the connection.
  var isEmpty: Bool { contents.isEmpty && offered.isEmpty }

  func fetching(_ handle: FileHandle) -> Fetching? {
    for content in contents where content.handle == handle { return content }
    return nil
  }

  func fetching(of download: DownloadID) -> Fetching? {
    for content in contents where content.link.id == download { return content }
    return nil
  }

  /// Returns whether a download uses or may soon use the connection.
  func has(_ download: DownloadID) -> Bool { fetching(of: download) != nil || offered.contains(download) }

  /// Notes that the peer opened a download's content here, and that the download learns of it.
  mutating func offer(to download: DownloadID) {
    offered.insert(download)
    isKnownToControl = true
  }

  mutating func begin(_ fetching: Fetching) {
    offered.remove(fetching.link.id)
    contents.append(fetching)
  }

  /// Removes a download that fetches nothing more over the connection. Returns what it fetched.
  mutating func end(_ download: DownloadID) -> Fetching? {
    offered.remove(download)
    guard let place = contents.firstIndex(where: { $0.link.id == download }) else { return nil }
    return contents.remove(at: place)
  }

  /// Hands received pieces to the verifying threads of their downloads.
  mutating func handOverFinishedJobs() {
    guard let first = finishedJobs.first else { return }
    if finishedJobs.allSatisfy({ $0.link === first.link }) {
      first.link.verify(finishedJobs)
    } else {
      for (_, jobs) in Dictionary(grouping: finishedJobs, by: { $0.link.id }) { jobs[0].link.verify(jobs) }
    }
    finishedJobs.removeAll(keepingCapacity: true)
  }
}
