// Two sessions that talk to each other: one fetches small files that the other serves.
import Content
import Testing
import Wire

@testable import Transfer

/// A file of 300 bytes in 3 chunks of 8 leaves; the last chunk has 3.
struct SmallFile {
  let layout = ChunkLayout(fileLength: 300, chunkSize: 128, leafSize: 16)!
  let bytes: [UInt8]
  let leaves: [[Digest]]
  let tree: HashTree
  let target: FetchTarget

  /// Files with different numbers have different bytes.
  init(_ number: Int) {
    var leaves: [[Digest]] = []
    let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 * 7 + number) }
    for start in stride(from: 0, to: 300, by: 128) {
      let chunk = Array(bytes[start..<min(start + 128, 300)])
      leaves.append(MerkleTree.leafHashes(chunk.span.bytes, leafSize: 16))
    }
    let layout = self.layout
    (self.bytes, self.leaves) = (bytes, leaves)
    tree = HashTree(layout, chunkHashes: leaves.map { MerkleTree.chunkHash($0, in: layout) }, chunksPerPage: 2)!
    let fileID = FileID(kind: .file, length: 300, root: tree.root)
    target = FetchTarget(
      fileID: fileID, key: FileKey(fileID, swarm: nil), chunkSize: 128, leafSize: 16, chunksPerPage: 2)
  }

  var served: ServedFile { ServedFile(key: target.key, pages: tree.pages, root: tree.root, name: "file") }

  func request(_ id: UInt32, _ chunk: UInt32) -> FetchRequest {
    let chunk = ChunkIndex(chunk)
    return FetchRequest(
      id: RequestID(id), chunk: chunk, leaves: layout.leaves(of: chunk),
      chunkHash: tree.chunkHashes[Int(chunk.rawValue)]
    )
  }
}

/// Messages of the fetching session reach the other end at once. The answers arrive when the test says so.
struct SessionPair {
  static let hash = Digest(Array(repeating: 7, count: 32))!

  var fetching: PeerSession
  var serving = PeerSession(handshakeHash: SessionPair.hash, role: .listener)
  let files: [SmallFile]
  /// The messages that the fetching session has sent, in order.
  private(set) var sent: [Message] = []
  /// The news that it has reported to its downloads, and the pieces that it has delivered.
  private(set) var news: [(handle: UInt32, news: PeerNews)] = []
  private(set) var pieces: [FetchedPiece] = []
  private(set) var end: SessionEnd?
  /// Answers of the serving session that have not arrived yet.
  private(set) var answers: [Message] = []
  /// Why the serving session has ended the connection.
  private(set) var servingEnd: SessionEnd?

  init(_ fileCount: Int, requestsMax: Int = 64) {
    files = (0..<fileCount).map { SmallFile($0) }
    fetching = PeerSession(handshakeHash: SessionPair.hash, role: .dialer, requestsMax: requestsMax)
  }

  /// Opens a file by its number. Does not receive the answer.
  mutating func ask(_ file: Int) -> UInt32 { ask(files[file]) }

  /// Opens a file that the other end may not have. Does not receive the answer.
  mutating func ask(_ file: SmallFile) -> UInt32 {
    defer { drain() }
    return fetching.open(file.target).rawValue
  }

  /// Opens a file by its number and receives the answer.
  mutating func open(_ file: Int, at now: Instant = .zero) -> UInt32 {
    let handle = ask(file)
    arrive(at: now)
    return handle
  }

  mutating func request(_ id: UInt32, chunk: UInt32, of file: Int, _ handle: UInt32) {
    fetching.request(files[file].request(id, chunk), of: FileHandle(handle))
    drain()
  }

  mutating func cancel(_ id: UInt32, of handle: UInt32) {
    fetching.cancel(RequestID(id), of: FileHandle(handle))
    drain()
  }

  mutating func fetchPage(_ page: UInt32, of handle: UInt32) {
    fetching.fetchPage(page, of: FileHandle(handle))
    drain()
  }

  mutating func close(_ handle: UInt32) {
    fetching.close(FileHandle(handle))
    drain()
  }

  /// Lets the serving session withdraw a file.
  mutating func withdraw(_ handle: UInt32) {
    serving.withdraw(FileHandle(handle), .changed)
    performServing()
    arrive()
  }

  /// Receives a message that the serving session has not sent.
  mutating func receive(_ message: Message, at now: Instant = .zero) {
    fetching.handle(message, at: now)
    drain()
  }

  /// Receives all answers in transit.
  mutating func arrive(at now: Instant = .zero) {
    let all = answers
    answers = []
    for message in all { receive(message, at: now) }
  }

  /// Lets the serving session send its next piece, and receives it. Returns false if no piece waits.
  @discardableResult
  mutating func givePiece(at now: Instant = .zero) -> Bool {
    guard begin(at: now) != nil else { return false }
    endPayload()
    return true
  }

  /// Receives the header of the next piece. Pages that the serving session sends before it stay in transit.
  mutating func begin(at now: Instant = .zero) -> DataHeader? {
    while let upload = serving.nextUpload(), let file = file(of: upload.handle) {
      switch upload {
      case .page(let handle, let index):
        answers += file.tree.page(index).map { [.page(PageAnswer($0, of: handle))] } ?? []
      case .piece(let piece):
        let header = piece.header(
          leafHashes: piece.includesLeafHashes ? file.leaves[Int(piece.chunk.rawValue)] : [],
          byteCount: file.layout.length(of: piece.leaves, in: piece.chunk))
        receive(.data(header), at: now)
        return header
      }
    }
    return nil
  }

  /// Receives the bytes of the piece whose header has arrived.
  mutating func endPayload() {
    fetching.payloadEnded()
    drain()
  }

  private func file(of handle: FileHandle) -> SmallFile? {
    serving.served[handle].flatMap { open in files.first { $0.tree.root == open.root } }
  }

  /// Returns the news since the last call.
  mutating func takeNews() -> [String] {
    defer { news = [] }
    return news.map { "\($0.handle) \(SessionPair.name($0.news))" }
  }

  mutating func takeSent() -> [Message] {
    defer { sent = [] }
    return sent
  }

  private static func name(_ news: PeerNews) -> String {
    switch news {
    case .opened: "opened"
    case .refused(let refusal): "refused \(refusal)"
    case .page: "page"
    case .busy(let id, _): "busy \(id.rawValue)"
    case .withdrawn: "withdrawn"
    case .answerBegan(let id): "began \(id.rawValue)"
    case .answerEnded(let id): "ended \(id.rawValue)"
    case .othersServed: "others"
    case .have, .bitmap, .promised, .peers: "news"
    }
  }

  // MARK: Actions

  private mutating func drain() {
    while let action = fetching.nextAction() {
      switch action {
      case .send(let message):
        sent.append(message)
        serve(message)
      case .tell(let news, let handle): self.news.append((handle.rawValue, news))
      case .verify(let piece): pieces.append(piece)
      case .close(let end): self.end = end
      default: break
      }
    }
  }

  private mutating func serve(_ message: Message) {
    serving.handle(message, at: .zero)
    performServing()
  }

  private mutating func performServing() {
    while let action = serving.nextAction() {
      switch action {
      case .send(let message): answers.append(message)
      case .lookUp(let open):
        let file = files.first { serving.isMeant($0.target.key, by: open) }
        serving.answer(open, file.map { .file($0.served) } ?? .noSuchFile, at: .zero)
      case .admit(let request): serving.admit(request, isHeld: true)
      case .close(let end): servingEnd = end
      default: break
      }
    }
  }
}
