// One content that a connection fetches: its OPEN, its manifest, and a limit on the news about it.
import Content
import Wire

/// A content that this end has opened at the other end, or is opening there.
struct FetchedContent: Sendable {
  /// How many entries of HAVE, PROMISED and PEERS are accepted for each chunk. Each leaf may be announced once, and a
  /// chunk may be promised again when the peer that it was promised to leaves.
  static let newsPerChunk = 68
  static let newsMin = 4_096

  let handle: FileHandle
  let target: FetchTarget
  /// Nil until OPENED.
  private(set) var manifest: Manifest?
  /// The download gave the content up before OPENED came. CLOSE is sent when it comes.
  var isGivenUp = false
  /// Pages that were requested with PAGE_GET and have not come, in order.
  var pagesDue: [UInt32] = []
  private var newsLeft = 0
  /// BITMAPs since OPENED have covered the chunks below this one.
  private var bitmapsEnd = 0

  init(handle: FileHandle, target: FetchTarget) { (self.handle, self.target) = (handle, target) }

  /// Takes an OPENED with a valid proof. Returns its manifest; throws if it is not the content's manifest.
  mutating func open(_ file: OfferedFile) throws(ManifestFault) -> Manifest {
    let manifest = try Manifest.verified(
      kind: file.kind, length: file.length, root: file.root, chunkSizeLog2: file.chunkSizeLog2,
      suggestedName: file.suggestedName, against: target.fileID, folder: target.folder, chunkSize: target.chunkSize,
      leafSize: target.leafSize)
    self.manifest = manifest
    newsLeft = manifest.layout.chunkCount * FetchedContent.newsPerChunk + FetchedContent.newsMin
    return manifest
  }

  /// Counts news. False if the peer has sent more entries than a swarm can have: from then on its news is ignored.
  mutating func hears(entries: Int) -> Bool {
    newsLeft = max(newsLeft - max(entries, 1), 0)
    return newsLeft > 0
  }

  /// Takes a BITMAP. False if an earlier one covered its first chunk: each chunk may be announced once by BITMAP, and
  /// later by HAVE. So the cost of bitmaps is bounded by the length of the file.
  mutating func accepts(_ bitmap: Bitmap) -> Bool {
    let first = Int(bitmap.firstChunk.rawValue)
    guard first >= bitmapsEnd else { return false }
    bitmapsEnd = first + bitmap.count
    return true
  }
}
