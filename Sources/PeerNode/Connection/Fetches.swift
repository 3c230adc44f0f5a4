// The contents that a connection fetches, each for one download, and the blocks that their pieces come in.
import Posix
import Transfer
import Wire

/// A block whose bytes wait to be hashed, compared and written.
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
  /// Of the content at the other end.
  let handle: FileHandle
}

/// All contents that a connection fetches.
struct Fetches {
  /// Few, so that a search is faster than a table.
  private(set) var contents: [Fetching] = []
  /// Downloads that heard that the peer has opened their content. Each opens it at the peer soon, or never.
  private(set) var offered: Set<DownloadID> = []
  /// The control thread knows of the connection, because a download dialled it or heard of it.
  var isKnownToControl: Bool
  /// No download uses the connection: with this code it closes once the peer has nothing open here either.
  var closesWhenUnused: CloseCode?
  /// Since when a download that has come to it waits for a sign of life.
  var probedAt: Instant?
  /// The download whose answer is due, while it may take no block, and since when.
  var starving: (download: DownloadID, since: Instant)?
  /// For the next DATA frame, and the download that gave it.
  var spare: (block: Block, link: DownloadLink)?
  /// Pieces that came in this turn.
  var finishedJobs: [VerifyJob] = []

  /// - `isDialled`: whether a download dialled the connection.
  init(isDialled: Bool) { isKnownToControl = isDialled }

  /// Whether no download has to do with the connection.
  var isEmpty: Bool { contents.isEmpty && offered.isEmpty }

  func fetching(_ handle: FileHandle) -> Fetching? {
    for content in contents where content.handle == handle { return content }
    return nil
  }

  func fetching(of download: DownloadID) -> Fetching? {
    for content in contents where content.link.id == download { return content }
    return nil
  }

  /// Whether the download of a link has to do with the connection.
  func has(_ download: DownloadID) -> Bool { fetching(of: download) != nil || offered.contains(download) }

  /// The peer has opened the content of a download, which hears of it.
  mutating func offer(to download: DownloadID) {
    offered.insert(download)
    isKnownToControl = true
  }

  mutating func begin(_ fetching: Fetching) {
    offered.remove(fetching.link.id)
    contents.append(fetching)
  }

  /// A download fetches nothing more over the connection. Returns what it fetched.
  mutating func end(_ download: DownloadID) -> Fetching? {
    offered.remove(download)
    guard let place = contents.firstIndex(where: { $0.link.id == download }) else { return nil }
    return contents.remove(at: place)
  }

  /// Pieces that wait to be verified go to the threads of their downloads.
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
