// The other end of a session. It may send anything: true answers, changed answers, and raw frames.
import Content

@testable import Transfer
@testable import Wire

extension Sessions {
  struct Stranger {
    let role: ChannelRole
    private var nextRequest: UInt32 = 1
    /// Requests of the end under test without a complete answer, in order.
    private var due: [ChunkRequest] = []

    init(role: ChannelRole) { self.role = role }

    mutating func message(
      _ step: UInt8, to end: SessionUnderTest, _ input: inout Input
    ) -> (message: Message, leaves: [UInt8])? {
      let hash = SessionUnderTest.handshakeHash
      let handle = FileHandle(UInt32(input.u8() & 3) + (step == 2 || step == 3 ? 1 : 0))
      switch step {
      case 0: return raw(&input)
      case 1:
        let change = input.u8()
        let meant = SessionFile.all[Int(change >> 5) % SessionFile.all.count].key
        let key = change & 3 == 3 ? FileKey(FileID(digest: .zero), swarm: nil) : meant
        let proof = key.openProof(hash, sender: change & 12 == 12 ? role.other : role)
        return (
          .open(Open(handle: change & 16 == 0 ? handle : FileHandle(input.u32()), bucket: key.bucket, proof: proof)), []
        )
      case 2: return (.opened(opened(handle, of: end, &input)), [])
      case 3:
        let index = input.u8()
        guard let page = Stranger.file(of: handle, at: end).file.tree.page(PageIndex(UInt32(index & 7))) else {
          return nil
        }
        var (hashes, uncles) = (page.chunkHashes, page.uncles)
        if index & 0x80 != 0 { hashes.spoil(&input) }
        if index & 0x40 != 0 { uncles.spoil(&input) }
        guard (1...1_024).contains(hashes.count), uncles.count <= 10 else { return nil }
        return (.page(PageAnswer(handle: handle, page: page.index.rawValue, chunkHashes: hashes, uncles: uncles)), [])
      case 4: return (.request(request(handle, &input)), [])
      case 5: return data(of: end, &input)
      case 6: return (.cancel(RequestID(UInt32(input.u8()))), [])
      case 7: return (.busy(Busy(id: RequestID(UInt32(input.u8())), retryAfterMilliseconds: input.u32())), [])
      case 8: return (news(handle, &input), [])
      default: return (other(handle, &input), [])
      }
    }

    private func raw(_ input: inout Input) -> (Message, [UInt8])? {
      let count = Int(input.u8())
      var frame: [UInt8] = []
      frame.append(bigEndian: UInt32(count + 1))
      frame.append(input.u8())
      frame += input.take(count)
      var decoder = FrameDecoder()
      var offset = 0
      guard let message = try? decoder.next(frame.span.bytes, at: &offset) else { return nil }
      if case .data(let header) = message { return (message, [UInt8](repeating: 0, count: header.byteCount)) }
      return (message, [])
    }

    /// Returns the file that the end under test has requested with a handle. If there is none, any file.
    private static func file(of handle: FileHandle, at end: SessionUnderTest) -> SessionFile {
      SessionFile.all[end.contents[handle]?.number ?? 0]
    }

    /// Notes a message of the end under test.
    mutating func note(_ message: Message) {
      switch message {
      case .request(let request): due.append(request)
      case .cancel(let id): due.removeAll { $0.id == id }
      default: break
      }
    }

    private func opened(_ handle: FileHandle, of end: SessionUnderTest, _ input: inout Input) -> Opened {
      let meant = Stranger.file(of: handle, at: end)
      let file = meant.file
      let change = input.u8()
      if change & 0x80 != 0, let refusal = Opened.Refusal(rawValue: change & 3) {
        return Opened(handle: handle, outcome: .refused(refusal))
      }
      let proof = meant.key.haveProof(
        SessionUnderTest.handshakeHash, sender: change & 1 == 0 ? role : role.other)
      let offered = OfferedFile(
        proof: proof, kind: change & 2 == 0 ? 0 : 1, length: file.layout.fileLength + (change & 4 == 0 ? 0 : 1),
        root: change & 8 == 0 ? file.tree.root : .zero, chunkSizeLog2: change & 16 == 0 ? 2 : 20,
        availability: change & 32 == 0 ? .complete : .partial, suggestedName: "a")
      return Opened(handle: handle, outcome: .opened(offered))
    }

    private mutating func request(_ handle: FileHandle, _ input: inout Input) -> ChunkRequest {
      let (id, chunk, leaves) = (input.u8(), input.u8(), input.u8())
      if id & 0x80 == 0 { nextRequest += UInt32(id & 3) }
      return ChunkRequest(
        id: RequestID(nextRequest), handle: handle, chunk: ChunkIndex(chunk == 255 ? .max : UInt32(chunk & 31)),
        leaves: LeafRange(first: Int(leaves & 7), count: 1 + Int(leaves >> 3 & 7)), wantsLeafHashes: leaves & 0x80 != 0)
    }

    /// Returns the next piece of a due answer, or a changed one.
    private mutating func data(of end: SessionUnderTest, _ input: inout Input) -> (Message, [UInt8])? {
      let (choice, change) = (Int(input.u8()), input.u8())
      guard !due.isEmpty else {
        return (
          .data(DataHeader(id: RequestID(1), leaves: LeafRange(first: 0, count: 1), isLast: true, byteCount: 1)), [0]
        )
      }
      let place = choice % due.count
      let request = due[place]
      let file = Stranger.file(of: request.handle, at: end).file
      guard file.layout.contains(request.chunk) else { return nil }
      let all = request.leaves
      let first = all.first + (change & 1 == 0 ? 0 : min(1, all.count - 1))
      let count = max(1, min(all.end - first, change & 2 == 0 ? 4 : 1))
      let leaves = LeafRange(first: first, count: count)
      let start = Int(file.layout.offset(ofLeaf: first, in: request.chunk))
      var bytes = Array(file.bytes[start..<start + file.layout.length(of: leaves, in: request.chunk)])
      if change & 4 != 0 { bytes[0] ^= 1 }
      if change & 8 != 0 { bytes.append(0) }
      var hashes = change & 16 == 0 ? file.leafHashes[Int(request.chunk.rawValue)] : []
      if change & 32 != 0 { hashes.spoil(&input) }
      guard hashes.isEmpty || (leaves.end...64).contains(hashes.count) else { return nil }
      let isLast = (leaves.end == all.end) == (change & 64 == 0)
      if isLast { due.remove(at: place) }
      let header = DataHeader(
        id: request.id, leaves: leaves, isLast: isLast, leafHashes: hashes, byteCount: bytes.count)
      return (.data(header), bytes)
    }

    private func news(_ handle: FileHandle, _ input: inout Input) -> Message {
      let chunk = ChunkIndex(UInt32(input.u8() & 31))
      switch input.u8() & 3 {
      case 0: return .have(Have(handle: handle, runs: [LeafRun(chunk: chunk, leaves: LeafRange(first: 2, count: 62))]))
      case 1:
        let bits = [UInt8](repeating: input.u8(), count: 3)
        return .bitmap(Bitmap(handle: handle, firstChunk: chunk, count: 24, bits: bits))
      case 2: return .promised(Promised(handle: handle, chunks: [chunk, ChunkIndex(.max)]))
      default:
        let entry = PeerExchange.Entry(ip: [UInt8](repeating: 8, count: 16), port: 0, peer: PeerID(digest: .zero))
        return .peers(PeerExchange(handle: handle, entries: [entry]))
      }
    }

    private func other(_ handle: FileHandle, _ input: inout Input) -> Message {
      switch input.number(below: 6) {
      case 0: .withdrawn(Withdrawn(handle: handle, reason: .removed))
      case 1: .ping(input.u64())
      case 2: .pong(input.u64())
      case 3: .pageGet(PageGet(handle: handle, page: UInt32(input.u8())))
      case 4: .close(handle)
      default: .goodbye(Goodbye(code: CloseCode(wire: input.u8()), text: "bye"))
      }
    }
  }
}
