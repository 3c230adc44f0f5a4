// Decodes whole bodies to messages. A body must be exactly as long as its fields. Nothing traps.
import Content

extension Opened {
  static let statusOpened: UInt8 = 0
}

extension PeerExchange.Entry {
  static let familyIPv4: UInt8 = 4
  static let familyIPv6: UInt8 = 6
}

extension Message {
  /// Decodes the whole body of a control frame. `FrameDecoder` reads DATA itself and never holds it whole.
  init(_ type: FrameType, body: [UInt8]) throws(WireError) {
    var reader = ByteReader(body)
    guard let message = try Message.read(type, &reader), reader.isAtEnd else { throw .malformed(type) }
    self = message
  }

  /// Returns nil if a field is missing or has a value that its table does not list.
  private static func read(_ type: FrameType, _ reader: inout ByteReader) throws(WireError) -> Message? {
    switch type {
    case .open:
      guard let handle = reader.u32(), let bucket = reader.u16(), let proof = reader.digest() else { return nil }
      return .open(Open(handle: FileHandle(handle), bucket: bucket, proof: proof))
    case .opened: return try readOpened(&reader)
    case .pageGet:
      guard let handle = reader.u32(), let page = reader.u32() else { return nil }
      return .pageGet(PageGet(handle: FileHandle(handle), page: page))
    case .page: return readPage(&reader)
    case .request: return readRequest(&reader)
    case .data: return nil
    case .cancel: return reader.u32().map { .cancel(RequestID($0)) }
    case .busy:
      guard let id = reader.u32(), let milliseconds = reader.u32() else { return nil }
      return .busy(Busy(id: RequestID(id), retryAfterMilliseconds: milliseconds))
    case .have: return readHave(&reader)
    case .bitmap: return readBitmap(&reader)
    case .withdrawn:
      guard let handle = reader.u32(), let reason = reader.u8().flatMap(Withdrawn.Reason.init) else { return nil }
      return .withdrawn(Withdrawn(handle: FileHandle(handle), reason: reason))
    case .peers: return readPeers(&reader)
    case .ping: return reader.u64().map { .ping($0) }
    case .pong: return reader.u64().map { .pong($0) }
    case .goodbye:
      guard let code = reader.u8(), let count = reader.u8(), count <= ProtocolLimits.goodbyeTextBytesMax,
        let text = try readText(Int(count), of: type, &reader)
      else { return nil }
      return .goodbye(Goodbye(code: CloseCode(wire: code), text: text))
    case .promised: return readPromised(&reader)
    case .close: return reader.u32().map { .close(FileHandle($0)) }
    }
  }

  private static func readPromised(_ reader: inout ByteReader) -> Message? {
    guard let handle = reader.u32(), let count = reader.u16(), count >= 1, reader.bytesLeft == 4 * Int(count) else {
      return nil
    }
    var chunks: [ChunkIndex] = []
    chunks.reserveCapacity(Int(count))
    for _ in 0..<count {
      guard let chunk = reader.u32() else { return nil }
      chunks.append(ChunkIndex(chunk))
    }
    return .promised(Promised(handle: FileHandle(handle), chunks: chunks))
  }

  private static func readText(
    _ count: Int, of type: FrameType, _ reader: inout ByteReader
  ) throws(WireError) -> String? {
    guard let bytes = reader.take(count) else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalidText(type) }
    return text
  }

  private static func readOpened(_ reader: inout ByteReader) throws(WireError) -> Message? {
    guard let rawHandle = reader.u32(), let status = reader.u8() else { return nil }
    let handle = FileHandle(rawHandle)
    if status != Opened.statusOpened {
      return Opened.Refusal(rawValue: status).map { .opened(Opened(handle: handle, outcome: .refused($0))) }
    }
    guard let proof = reader.digest(), let kind = reader.u8(), let length = reader.u64(), let root = reader.digest(),
      let chunkSizeLog2 = reader.u8(), let availability = reader.u8().flatMap(OfferedFile.Availability.init),
      let nameBytes = reader.u8(), let name = try readText(Int(nameBytes), of: .opened, &reader)
    else { return nil }
    let file = OfferedFile(
      proof: proof, kind: kind, length: length, root: root, chunkSizeLog2: chunkSizeLog2, availability: availability,
      suggestedName: name)
    return .opened(Opened(handle: handle, outcome: .opened(file)))
  }

  private static func readPage(_ reader: inout ByteReader) -> Message? {
    guard let handle = reader.u32(), let page = reader.u32(), let count = reader.u16(),
      (1...ProtocolLimits.chunksPerPage).contains(Int(count)), let hashes = reader.digests(Int(count)),
      let uncleCount = reader.u8(), uncleCount <= ProtocolLimits.unclesPerPageMax,
      let uncles = reader.digests(Int(uncleCount))
    else { return nil }
    return .page(PageAnswer(handle: FileHandle(handle), page: page, chunkHashes: hashes, uncles: uncles))
  }

  private static func readRequest(_ reader: inout ByteReader) -> Message? {
    guard let id = reader.u32(), let handle = reader.u32(), let chunk = reader.u32(),
      let leaves = LeafRange(&reader, countMax: ProtocolLimits.leavesPerChunk), let flags = reader.u8(),
      flags & ~FrameFlags.leafHashes == 0
    else { return nil }
    return .request(
      ChunkRequest(
        id: RequestID(id), handle: FileHandle(handle), chunk: ChunkIndex(chunk), leaves: leaves,
        wantsLeafHashes: flags & FrameFlags.leafHashes != 0))
  }

  private static func readHave(_ reader: inout ByteReader) -> Message? {
    guard let handle = reader.u32(), let count = reader.u16(), count >= 1, reader.bytesLeft == 6 * Int(count) else {
      return nil
    }
    var runs: [LeafRun] = []
    runs.reserveCapacity(Int(count))
    for _ in 0..<count {
      guard let chunk = reader.u32(), let leaves = LeafRange(&reader, countMax: ProtocolLimits.leavesPerChunk) else {
        return nil
      }
      runs.append(LeafRun(chunk: ChunkIndex(chunk), leaves: leaves))
    }
    return .have(Have(handle: FileHandle(handle), runs: runs))
  }

  private static func readBitmap(_ reader: inout ByteReader) -> Message? {
    guard let handle = reader.u32(), let first = reader.u32(), let count = reader.u32(),
      Bitmap.isStretch(firstChunk: first, count: count), let bits = reader.take(reader.bytesLeft),
      Bitmap.areBits(bits, of: Int(count))
    else { return nil }
    return .bitmap(
      Bitmap(handle: FileHandle(handle), firstChunk: ChunkIndex(first), count: Int(count), bits: bits))
  }

  private static func readPeers(_ reader: inout ByteReader) -> Message? {
    guard let handle = reader.u32(), let count = reader.u8(), count <= ProtocolLimits.peersMax else { return nil }
    var entries: [PeerExchange.Entry] = []
    for _ in 0..<count {
      guard let entry = readPeer(&reader) else { return nil }
      entries.append(entry)
    }
    return .peers(PeerExchange(handle: FileHandle(handle), entries: entries))
  }

  private static func readPeer(_ reader: inout ByteReader) -> PeerExchange.Entry? {
    let ip: [UInt8]?
    switch reader.u8() {
    case PeerExchange.Entry.familyIPv4: ip = reader.take(4).map { PeerExchange.Entry.mappedPrefix + $0 }
    case PeerExchange.Entry.familyIPv6: ip = reader.take(16)
    default: ip = nil
    }
    guard let ip, let port = reader.u16(), let peer = reader.digest() else { return nil }
    return PeerExchange.Entry(ip: ip, port: port, peer: PeerID(digest: peer))
  }
}

extension LeafRange {
  /// Reads `first u8 | count u8`. Nil if the run is empty, longer than `countMax`, or not within the chunk.
  init?(_ reader: inout ByteReader, countMax: Int) {
    guard let first = reader.u8(), let count = reader.u8(), count >= 1, Int(count) <= countMax,
      Int(first) + Int(count) <= ProtocolLimits.leavesPerChunk
    else { return nil }
    self.init(first: Int(first), count: Int(count))
  }
}
