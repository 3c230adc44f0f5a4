// One content that a session under test fetches. Performs the duties of its download and checks its news.
import Content

@testable import Transfer
@testable import Wire

/// A file that sessions serve and fetch.
struct SessionFile {
  /// Files of different lengths. The first one has the most pages.
  static let all = [(70, 4), (33, 2), (13, 4)].map { SessionFile(TinyFile(length: $0.0, chunksPerPage: $0.1)) }

  let file: TinyFile
  let fileID: FileID
  let key: FileKey

  private init(_ file: TinyFile) {
    self.file = file
    fileID = FileID(kind: .file, length: file.layout.fileLength, root: file.tree.root)
    key = FileKey(fileID, swarm: nil)
  }

  var target: FetchTarget {
    FetchTarget(
      fileID: fileID, key: key, chunkSize: 4, leafSize: 1, chunksPerPage: file.tree.pages.chunksPerPage)
  }

  /// The leaves of a chunk that a partial server has. It has the first one of each, so any page may be asked for.
  func part(of chunk: ChunkIndex) -> UInt64 {
    file.layout.contains(chunk) ? UInt64(chunk.rawValue | 1) & file.layout.leaves(of: chunk).mask : 0
  }

  func served(isPartial: Bool) -> ServedFile {
    ServedFile(
      key: key, pages: file.tree.pages, root: file.tree.root, name: "a", parts: isPartial ? parts : nil)
  }

  private var parts: HeldParts {
    var bits = [UInt8](repeating: 0, count: (file.layout.chunkCount + 7) / 8)
    var runs: [LeafRun] = []
    for i in 0..<file.layout.chunkCount {
      let chunk = ChunkIndex(UInt32(i))
      let mask = part(of: chunk)
      if mask == file.layout.leaves(of: chunk).mask { bits[i / 8] |= 0x80 >> UInt8(i % 8) }
      for leaf in 0..<4 where mask & 1 << UInt64(leaf) != 0 {
        runs.append(LeafRun(chunk: chunk, leaves: LeafRange(first: leaf, count: 1)))
      }
    }
    return HeldParts(wholeChunks: bits, runs: runs)
  }
}

/// The download of one file. It sends requests while the file is open, with increasing IDs, for leaves that the file
/// has, and with the chunk hash of a verified page.
struct ContentUnderTest {
  typealias Asked = (chunk: ChunkIndex, leaves: LeafRange)

  let number: Int
  /// Whether the file is open at the other end.
  private(set) var isOpen = false
  /// Requests that are not completely answered, refused or cancelled.
  private(set) var asked: [RequestID: Asked] = [:]
  /// Requests that were cancelled while leaves arrived. The leaves may answer one of them.
  private var cancelled: [RequestID: Asked] = [:]
  private var lastRequest: UInt32 = 0
  /// The number of PAGE_GETs without a page so far.
  private var pagesDue = 0
  /// Verified leaves, by chunk.
  private(set) var verified: [UInt64]

  init(_ number: Int) {
    self.number = number
    verified = Array(repeating: 0, count: SessionFile.all[number].file.layout.chunkCount)
  }

  private var file: TinyFile { SessionFile.all[number].file }

  // MARK: Commands

  /// Returns the page to request. Nil if the file is not open.
  mutating func page(_ page: UInt32) -> UInt32? {
    guard isOpen else { return nil }
    pagesDue += 1
    return page % UInt32(file.tree.pages.pageCount)
  }

  mutating func request(_ chunk: Int, first: Int, count: Int, knowsHashes: Bool) -> FetchRequest? {
    let index = chunk % file.layout.chunkCount
    let chunk = ChunkIndex(UInt32(index))
    let first = first % file.layout.leafCount(of: chunk)
    let leaves = LeafRange(first: first, count: min(count, file.layout.leafCount(of: chunk) - first))
    guard isOpen, asked.count < 64 else { return nil }
    lastRequest += 1
    let id = RequestID(lastRequest)
    asked[id] = (chunk, leaves)
    return FetchRequest(
      id: id, chunk: chunk, leaves: leaves, chunkHash: file.tree.chunkHashes[index],
      leafHashes: knowsHashes ? file.leafHashes[index] : nil)
  }

  /// - `isPayloadDue`: whether leaves are in transit. They will still be verified.
  mutating func cancel(_ id: RequestID, isPayloadDue: Bool) -> Bool {
    guard let request = asked.removeValue(forKey: id) else { return false }
    if isPayloadDue { cancelled[id] = request }
    return true
  }

  mutating func payloadEnded() { cancelled = [:] }

  // MARK: News

  /// Checks news of the content. Returns false if the content is gone.
  mutating func hear(_ news: PeerNews) -> Bool {
    switch news {
    case .opened(let manifest, _):
      require(
        !isOpen && manifest.fileID == SessionFile.all[number].fileID, "only the file that was asked for is opened")
      isOpen = true
    case .refused:
      require(!isOpen, "an open file is not refused")
      return false
    case .page(let page):
      require(page == file.tree.page(page.index), "only the file's own pages are believed")
      require(pagesDue > 0, "only a page that was asked for comes")
      pagesDue -= 1
    case .busy(let id, _): require(asked.removeValue(forKey: id) != nil, "only what was asked is refused")
    case .withdrawn: return false
    case .othersServed:
      require(!asked.isEmpty || pagesDue > 0, "only a content that waits hears that others are served")
    case .answerBegan(let id), .answerEnded(let id):
      require(news == .answerEnded(id) || asked[id] != nil, "only what was asked is answered")
    case .have, .bitmap, .promised, .peers: require(isOpen, "news is of open files")
    }
    return true
  }

  mutating func verify(_ piece: FetchedPiece, _ payload: [UInt8]) {
    guard let request = asked[piece.request] ?? cancelled[piece.request] else {
      return require(false, "only what was asked for is verified")
    }
    require(request.chunk == piece.chunk && piece.leaves.mask & ~request.leaves.mask == 0, "a piece is of its request")
    let due = file.leafHashes[Int(piece.chunk.rawValue)][piece.leaves.first..<piece.leaves.end]
    require(piece.leafHashes == Array(due), "leaves are held against their own hashes")
    require(
      piece.fileOffset == file.layout.offset(ofLeaf: piece.leaves.first, in: piece.chunk), "a piece has its place")
    if piece.isLastOfAnswer { asked[piece.request] = nil }
    let start = Int(piece.fileOffset)
    let isTrue = payload.elementsEqual(file.bytes[start..<start + piece.byteCount])
    require(piece.isMatched(by: payload.span.bytes) == isTrue, "only the file's own bytes match")
    if isTrue { verified[Int(piece.chunk.rawValue)] |= piece.leaves.mask }
  }
}
