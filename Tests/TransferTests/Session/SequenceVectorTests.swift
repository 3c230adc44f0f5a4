// How a session handles frames that are out of place or false, as in `Protocol/vectors/sequences.txt`.
import Content
import TestSupport
import Testing
import Wire

@testable import Transfer

/// A session that receives the published frames. Its actions are performed as a connection does.
private struct End {
  var session: PeerSession
  /// All frames that it has sent.
  var sent: [UInt8] = []
  /// The code of the GOODBYE after which it closes.
  var code: CloseCode?
  private let served: ServedFile
  /// It hashes its files, and so answers no OPEN yet.
  private let isHashing: Bool
  private var piece: FetchedPiece?

  init(_ role: ChannelRole, _ hash: Digest, _ served: ServedFile, isHashing: Bool = false) {
    session = PeerSession(handshakeHash: hash, role: role)
    (self.served, self.isHashing) = (served, isHashing)
  }

  private func answer(_ open: Open) -> OpenAnswer {
    if isHashing { return .notYet }
    return session.isMeant(served.key, by: open) ? .file(served) : .noSuchFile
  }

  private func holds(_ chunk: ChunkIndex) -> Bool {
    guard let parts = served.parts, served.layout.contains(chunk) else { return true }
    return parts.wholeChunks[Int(chunk.rawValue) / 8] & 0x80 >> UInt8(chunk.rawValue % 8) != 0
  }

  mutating func receive(_ bytes: [UInt8]) throws {
    var decoder = FrameDecoder()
    var offset = 0
    while code == nil, let message = try decoder.next(bytes.span.bytes, at: &offset) {
      session.handle(message, at: .zero)
      perform()
      let payload = Array(bytes[offset..<offset + decoder.payloadBytesDue])
      guard case .data = message, code == nil else { continue }
      offset += payload.count
      decoder.tookPayload(payload.count)
      session.payloadEnded()
      perform()
      if let piece, !piece.isMatched(by: payload.span.bytes) { code = .badData }
      piece = nil
    }
  }

  mutating func perform() {
    while let action = session.nextAction() {
      switch action {
      case .send(let message): message.encode(into: &sent)
      case .lookUp(let open): session.answer(open, answer(open), at: .zero)
      case .admit(let request): session.admit(request, isHeld: holds(request.chunk))
      case .verify(let piece): self.piece = piece
      case .close(.violation): code = .protocolError
      case .close(.lied): code = .badData
      default: break
      }
    }
  }
}

@Suite struct SequenceVectorTests {
  private let vectors: VectorFile
  private let tree: HashTree
  private let served: ServedFile
  private let hash: Digest
  private static let handle = FileHandle(1)

  init() throws {
    vectors = try VectorFile("sequences.txt")
    let period = (0..<251).map { (i: Int) -> UInt8 in UInt8((i * i + 7 * i + 3) % 251) }
    let length = 1_048_576 + 16_384 + 3
    let bytes = (0..<length).map { period[$0 % 251] }
    var state = FileHashState()
    _ = try state.feed(bytes.span.bytes)
    let file = state.finish().file
    tree = try #require(HashTree(file.layout, chunkHashes: file.chunkHashes))
    served = ServedFile(key: FileKey(file.fileID, swarm: nil), pages: tree.pages, root: tree.root, name: "a.bin")
    hash = try #require(Digest(vectors["handshake-hash"]))
    #expect(file.fileID.digest.bytes == vectors["fileID"])
  }

  private var layout: ChunkLayout { tree.pages.layout }

  /// The file that a state is about.
  private func fileID(in state: String) throws -> FileID {
    let name = vectors.names.contains("\(state).fileID") ? "\(state).fileID" : "fileID"
    return FileID(digest: try #require(Digest(vectors[name])))
  }

  /// What an end in a state serves.
  private func served(in state: String) throws -> ServedFile {
    func part(_ bits: UInt8) -> ServedFile {
      ServedFile(
        key: served.key, pages: tree.pages, root: tree.root, name: "a.bin",
        parts: HeldParts(wholeChunks: [bits], runs: []))
    }
    switch state {
    case "nothing": return part(0)
    case "partial": return part(0x40)
    case "serving-empty":
      let layout = try #require(ChunkLayout(fileLength: 0))
      return ServedFile(
        key: FileKey(try fileID(in: state), swarm: nil), pages: PageLayout(layout), root: .zero, name: "")
    default: return served
    }
  }

  /// Returns an end in a published state. Nil if there is no state with this name.
  private func end(in state: String) throws -> End? {
    let isServer = ["new", "serving", "gone", "hashing", "nothing", "partial", "serving-empty"].contains(state)
    var end = End(isServer ? .listener : .dialer, hash, try served(in: state), isHashing: state == "hashing")
    let states = ["asked", "opened", "page", "request"]
    if !isServer {
      let fileID = try fileID(in: state)
      let handle = end.session.open(FetchTarget(fileID: fileID, key: FileKey(fileID, swarm: nil)))
      #expect(handle == SequenceVectorTests.handle)
      end.perform()
    }
    switch state {
    case "new", "asked", "hashing": break
    case "serving", "gone":
      try end.receive(vectors["serving.received"])
      if state == "gone" { end.session.withdraw(SequenceVectorTests.handle, .changed) }
    case "refused", "empty", "empty-root", "nothing", "partial", "serving-empty":
      try end.receive(vectors["\(state).received"])
    case "opened", "page", "request", "cancelled", "begun", "withdrawn", "closed":
      try end.receive(vectors["opened.received"])
      let depth = states.firstIndex(of: state) ?? states.count
      if depth >= 2 { end.session.fetchPage(0, of: SequenceVectorTests.handle) }
      end.perform()
      if depth >= 3 { try request(at: &end, withdrawn: state == "withdrawn") }
      if state == "begun" {
        try end.receive(Array(vectors["begun.received"].dropFirst(vectors["request.received"].count)))
        end.session.cancel(RequestID(2), of: SequenceVectorTests.handle)
      }
      if state == "cancelled" { end.session.cancel(RequestID(1), of: SequenceVectorTests.handle) }
      if state == "closed" { end.session.close(SequenceVectorTests.handle) }
    default: return nil
    }
    end.perform()
    return end
  }

  /// Receives the rest of the state's frames. The two requests are sent in between.
  private func request(at end: inout End, withdrawn: Bool) throws {
    let page = vectors["request.received"].dropFirst(vectors["opened.received"].count)
    try end.receive(Array(page))
    for (id, first, count) in [(1, 1, 1), (2, 0, 2)] as [(UInt32, Int, Int)] {
      end.session.request(
        FetchRequest(
          id: RequestID(id), chunk: ChunkIndex(1), leaves: LeafRange(first: first, count: count),
          chunkHash: tree.chunkHashes[1]), of: SequenceVectorTests.handle)
    }
    end.perform()
    if withdrawn { try end.receive(Array(vectors["withdrawn.received"].dropFirst(vectors["request.received"].count))) }
  }

  @Test func `the published frames lead to the states of the published sequences`() throws {
    let states = vectors.names.filter { $0.hasSuffix(".sent") }.map { String($0.dropLast(".sent".count)) }
    #expect(states.count == 18)
    for state in states {
      let end = try #require(try end(in: state), "\(state)")
      #expect(end.code == nil && end.sent == vectors["\(state).sent"], "\(state)")
    }
  }

  @Test func `the order of each published state has one byte for each of its frames`() throws {
    func frameCount(_ bytes: [UInt8]) -> Int {
      var (rest, count) = (bytes[...], 0)
      while rest.count >= 4 {
        rest = rest.dropFirst(4 + rest.prefix(4).reduce(0) { $0 << 8 | Int($1) })
        count += 1
      }
      return count
    }
    for name in vectors.names where name.hasSuffix(".order") {
      let state = name.dropLast(".order".count)
      for (way, label) in [(0, "sent"), (1, "received")] as [(UInt8, String)] {
        #expect(vectors[name].count { $0 == way } == frameCount(vectors["\(state).\(label)"]), "\(name)")
      }
    }
    #expect(vectors["request.order"] == [0, 1, 0, 1, 0, 0])
  }

  @Test func `each published sequence ends as published`() throws {
    let cases = vectors.names.map { ($0, $0.split(separator: ".")) }.filter { $0.1.count == 3 }
    #expect(cases.count > 100)
    for (name, parts) in cases {
      var end = try #require(try end(in: String(parts[0])), "\(name)")
      try end.receive(vectors[name])
      // Where the text allows both, this end accepts.
      let due = parts[2] == "any" ? "ok" : parts[2]
      #expect(end.code.map { "\($0.rawValue)" } ?? "ok" == due, "\(name)")
    }
  }
}
