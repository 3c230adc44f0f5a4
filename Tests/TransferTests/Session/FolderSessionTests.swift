// Sessions that fetch folders. An ID has one kind, and an answer may carry 64 small leaves.
import Content
import Testing
import Wire

@testable import Transfer

@Suite struct FolderSessionTests {
  private let hash = Digest(Array(repeating: 7, count: 32))!
  /// Chunk 0: 64 files of one leaf. Chunk 1: a file of two leaves, and one of one leaf.
  private let folder: FolderLayout
  private let files: [[UInt8]]

  init() throws {
    let files: [[UInt8]] =
      (0..<64).map { number in (0...number % 5).map { UInt8(truncatingIfNeeded: number * 7 + $0) } }
      + [(0..<20_000).map { UInt8(truncatingIfNeeded: $0 * 31) }, [1, 2, 3]]
    self.files = files
    let listing = try FolderListing(
      files.enumerated().map { number, bytes in
        var state = FileHashState()
        _ = try state.feed(bytes.span.bytes)
        let content = FileContent(length: UInt64(bytes.count), root: state.finish().file.root)
        return FolderEntry(FolderPath("\(100 + number)"), .file(content, isExecutable: false))
      })
    folder = try FolderLayout(listing, root: Digest(sha256: listing.bytes.span.bytes))
  }

  private var layout: ChunkLayout { ChunkLayout(folder) }
  private var target: FetchTarget {
    FetchTarget(fileID: folder.contentsID, key: FileKey(folder.contentsID, swarm: nil), folder: folder)
  }

  private func bytes(of chunk: UInt32) -> [UInt8] { chunk == 0 ? Array(files[..<64].joined()) : files[64] + files[65] }

  private func drain(_ session: inout PeerSession) -> [PeerSessionAction] {
    var actions: [PeerSessionAction] = []
    while let action = session.nextAction() { actions.append(action) }
    return actions
  }

  /// Returns a session that has opened a content, and its actions after an OPENED with these values.
  private func opened(
    _ target: FetchTarget, kind: UInt8, length: UInt64, root: Digest
  ) -> (session: PeerSession, actions: [PeerSessionAction]) {
    var session = PeerSession(handshakeHash: hash, role: .dialer)
    let handle = session.open(target)
    _ = drain(&session)
    let proof = target.key.haveProof(hash, sender: .listener)
    session.handle(
      .opened(
        Opened(
          handle: handle,
          outcome: .opened(
            OfferedFile(
              proof: proof, kind: kind, length: length, root: root, chunkSizeLog2: 20, availability: .complete,
              suggestedName: "folder")))), at: .zero)
    return (session, drain(&session))
  }

  private func isLie(_ actions: [PeerSessionAction]) -> Bool {
    if case .close(.lied)? = actions.last { true } else { false }
  }

  // MARK: Kinds

  @Test func `contents open only with kind 2`() throws {
    let length = folder.listing.contentsLength
    for kind in 0...3 as ClosedRange<UInt8> {
      let actions = opened(target, kind: kind, length: length, root: folder.listingRoot).actions
      guard kind == 2 else {
        #expect(isLie(actions), "kind \(kind)")
        continue
      }
      guard case .tell(.opened(let manifest, isComplete: true), of: _)? = actions.last else {
        Issue.record("contents are not opened: \(actions)")
        continue
      }
      #expect(manifest.kind == .folderContents && manifest.layout == layout && manifest.fileID == folder.contentsID)
    }
    #expect(isLie(opened(target, kind: 2, length: length + 1, root: folder.listingRoot).actions))
    #expect(isLie(opened(target, kind: 2, length: length, root: someHash(1)).actions))
  }

  @Test func `an ID that a user typed opens a file or a listing and never contents`() {
    let (length, root) = (UInt64(5000), someHash(1))
    for kind in [ContentKind.file, .folder, .folderContents] {
      let fileID = FileID(kind: kind, length: length, root: root)
      let target = FetchTarget(fileID: fileID, key: FileKey(fileID, swarm: nil))
      let actions = opened(target, kind: kind.rawValue, length: length, root: root).actions
      guard kind != .folderContents else {
        #expect(isLie(actions), "contents are opened by an ID that a user typed")
        continue
      }
      guard case .tell(.opened(let manifest, isComplete: true), of: _)? = actions.last else {
        Issue.record("\(kind) is not opened: \(actions)")
        continue
      }
      #expect(manifest.kind == kind && manifest.layout.folder == nil)
      for other in 0...3 as ClosedRange<UInt8> where other != kind.rawValue {
        #expect(isLie(opened(target, kind: other, length: length, root: root).actions), "\(kind) as \(other)")
      }
    }
  }

  // MARK: Leaves

  private func request(_ chunk: UInt32, _ known: [Digest]?) throws -> FetchRequest {
    let chunk = ChunkIndex(chunk)
    return FetchRequest(
      id: RequestID(1), chunk: chunk, leaves: layout.leaves(of: chunk),
      chunkHash: try #require(folder.knownHash(of: chunk)), leafHashes: known)
  }

  /// Returns a session that has opened the contents and requests a chunk, and its REQUEST.
  private func asking(for chunk: UInt32, _ known: [Digest]?) throws -> (session: PeerSession, sent: ChunkRequest) {
    var session = opened(target, kind: 2, length: folder.listing.contentsLength, root: folder.listingRoot).session
    session.request(try request(chunk, known), of: FileHandle(1))
    let sent = drain(&session).compactMap { if case .send(.request(let sent)) = $0 { sent } else { nil } }
    return (session, try #require(sent.first))
  }

  private func data(_ chunk: UInt32, _ leaves: LeafRange, hashes: [Digest] = [], isLast: Bool = true) -> Message {
    let byteCount = layout.length(of: leaves, in: ChunkIndex(chunk))
    return .data(
      DataHeader(id: RequestID(1), leaves: leaves, isLast: isLast, leafHashes: hashes, byteCount: byteCount))
  }

  @Test func `an answer brings 64 small leaves at once, each with its own length`() throws {
    let known = try #require(folder.knownLeafHashes(of: ChunkIndex(0)))
    var (session, sent) = try asking(for: 0, known)
    #expect(sent.leaves == LeafRange(first: 0, count: 64) && !sent.wantsLeafHashes)
    session.handle(data(0, sent.leaves), at: .zero)
    session.payloadEnded()
    let pieces = drain(&session).compactMap { if case .verify(let piece) = $0 { piece } else { nil } }
    #expect(pieces.count == 1 && pieces.first?.leaves == sent.leaves && pieces.first?.fileOffset == 0)
    let piece = try #require(pieces.first)
    let whole = bytes(of: 0)
    #expect(piece.byteCount == whole.count && piece.isLastOfAnswer)
    let isRight = piece.isMatched(by: whole.span.bytes)
    #expect(isRight)
    for place in [0, 1, 2, whole.count - 1] {
      var wrong = whole
      wrong[place] ^= 1
      let isWrongTaken = piece.isMatched(by: wrong.span.bytes)
      #expect(!isWrongTaken, "byte \(place)")
    }
  }

  @Test func `small leaves of a wrong length break the protocol`() throws {
    let known = try #require(folder.knownLeafHashes(of: ChunkIndex(0)))
    for change in [-1, 1] {
      var (session, sent) = try asking(for: 0, known)
      let byteCount = layout.length(of: sent.leaves, in: ChunkIndex(0)) + change
      session.handle(
        .data(DataHeader(id: RequestID(1), leaves: sent.leaves, isLast: true, byteCount: byteCount)), at: .zero)
      guard case .close(.violation)? = drain(&session).last else {
        Issue.record("\(byteCount) bytes are taken")
        return
      }
    }
  }

  @Test func `the leaf hashes of a shared chunk are split where its files end`() throws {
    let chunk = ChunkIndex(1)
    #expect(folder.knownLeafHashes(of: chunk) == nil, "a file of two leaves")
    let content = bytes(of: 1)
    let hashes = layout.leafHashes(content.span.bytes, of: chunk)
    #expect(hashes.count == 3)
    var (session, sent) = try asking(for: 1, nil)
    #expect(sent.wantsLeafHashes)
    session.handle(data(1, sent.leaves, hashes: hashes), at: .zero)
    session.payloadEnded()
    let piece = drain(&session).compactMap { if case .verify(let piece) = $0 { piece } else { nil } }.first
    let isRight = try #require(piece).isMatched(by: content.span.bytes)
    #expect(isRight && piece?.chunkLeafHashes == hashes)
    for leaf in hashes.indices {
      var (session, sent) = try asking(for: 1, nil)
      var wrong = hashes
      wrong[leaf] = someHash(leaf)
      session.handle(data(1, sent.leaves, hashes: wrong), at: .zero)
      #expect(isLie(drain(&session)), "leaf hash \(leaf)")
    }
  }

  @Test func `a server puts as many leaves into an answer as fit into 64 KiB`() throws {
    // 40 leaves of one byte, then 20 full leaves.
    let folder = try someFolder(Array(repeating: 1, count: 40) + [20 << 14])
    let layout = ChunkLayout(folder)
    var upload = UploadState()
    _ = try upload.open(FileHandle(1), layout)
    let admission = try upload.accept(
      RequestID(1), FileHandle(1), chunk: ChunkIndex(0), firstLeaf: 0, leafCount: 60, wantsLeafHashes: true)
    #expect(admission == .queued)
    var pieces: [LeafRange] = []
    while let piece = upload.nextPiece() {
      pieces.append(piece.leaves)
      #expect(layout.length(of: piece.leaves, in: ChunkIndex(0)) <= ProtocolLimits.dataLeafBytesMax)
      #expect(piece.includesLeafHashes == (piece.leaves.first == 0))
    }
    #expect(pieces.map(\.first) == [0, 43, 47, 51, 55, 59] && pieces.last?.end == 60)
  }
}
