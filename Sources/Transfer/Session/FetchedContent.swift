// One content that a connection fetches: its OPEN, its manifest, and how much news of it is heard.
import Content
import Wire

/// A content that this end opens at the other, or has open there.
struct FetchedContent: Sendable {
  /// Entries of HAVE, PROMISED and PEERS that are heard: each leaf may be announced once, and a chunk may be promised
  /// again when the peer that it was promised to goes.
  static let newsPerChunk = 68
  static let newsMin = 4_096

  let handle: FileHandle
  let target: FetchTarget
  /// Nil until OPENED.
  private(set) var manifest: Manifest?
  /// The download gave it up before OPENED. CLOSE follows OPENED.
  var isGivenUp = false
  /// PAGE_GETs that are sent and not answered, in order.
  var pagesDue: [UInt32] = []
  private var newsLeft = 0
  /// BITMAPs since OPENED have covered the chunks below this one.
  private var bitmapsEnd = 0

  init(handle: FileHandle, target: FetchTarget) { (self.handle, self.target) = (handle, target) }

  /// OPENED came with a valid proof. Returns the manifest, if it is that of the content.
  mutating func open(_ file: OfferedFile) throws(ManifestFault) -> Manifest {
    let manifest = try Manifest.verified(
      kind: file.kind, length: file.length, root: file.root, chunkSizeLog2: file.chunkSizeLog2,
      suggestedName: file.suggestedName, against: target.fileID, folder: target.folder, chunkSize: target.chunkSize,
      leafSize: target.leafSize)
    self.manifest = manifest
    newsLeft = manifest.layout.chunkCount * FetchedContent.newsPerChunk + FetchedContent.newsMin
    return manifest
  }

  /// News came. False if the peer has sent more entries than a swarm can have: the rest is ignored.
  mutating func hears(entries: Int) -> Bool {
    newsLeft = max(newsLeft - max(entries, 1), 0)
    return newsLeft > 0
  }

  /// BITMAP came. False if an earlier one covered its first chunk: each chunk is announced once, and later by HAVE. So
  /// bitmaps cost no more than the file is long.
  mutating func accepts(_ bitmap: Bitmap) -> Bool {
    let first = Int(bitmap.firstChunk.rawValue)
    guard first >= bitmapsEnd else { return false }
    bitmapsEnd = first + bitmap.count
    return true
  }
}
