// Cuts one direction's plaintext stream into messages. Holds at most one control frame, and never any bytes of leaves.
import Content

/// The decoder of one direction of one connection. Sans-IO; not shared between threads.
///
/// Feed it the plaintexts of the records in order. Call `next` until it returns nil with the offset at the end of the
/// bytes. After `.data`, the next `payloadBytesDue` bytes of the stream belong to leaves: the caller takes them itself,
/// from as many plaintexts as they span, and reports them with `tookPayload`. After an error the stream has no meaning:
/// each later call throws the same error.
public struct FrameDecoder: Sendable {
  private enum State {
    /// Between frames, or within a frame's length field.
    case length
    /// Before the type byte. Some type allows this length.
    case type(length: UInt32)
    /// Within the body of a control frame of `byteCount` bytes.
    case body(FrameType, byteCount: Int)
    /// Within the body of an unknown extension.
    case skipping(bytesLeft: Int)
    /// Within the fixed fields of DATA.
    case dataFields(bodyBytes: Int)
    /// Before the number of leaf hashes of DATA.
    case leafHashCount(DataFields)
    case leafHashes(DataFields, count: Int)
    /// The bytes of the leaves come next.
    case payload
    case failed(WireError)
  }

  private var state = State.length
  /// The bytes of the current part that have arrived. Grows as bytes arrive, not as lengths are announced.
  private var held: [UInt8] = []
  /// Bytes of leaves that are next in the stream; 0 except after `.data`.
  public private(set) var payloadBytesDue = 0
  /// The number of complete frames, including skipped ones. When it changes, the next frame begins.
  public private(set) var completedFrames = 0

  public init() {}

  /// Bytes that the decoder holds on the heap.
  var bufferBytes: Int { held.capacity }

  /// Whether a frame has begun and is incomplete. Then it must make progress, and the stream must not end.
  public var isMidFrame: Bool {
    if case .length = state { return !held.isEmpty }
    return true
  }

  /// Reads `bytes` from `offset` on, moves `offset`, and returns the next message. `offset` must lie within `bytes`.
  ///
  /// Returns nil if it needs more bytes, if bytes of leaves are next, or if it has skipped `framesMax` frames.
  public mutating func next(
    _ bytes: RawSpan, at offset: inout Int, skippingAtMost framesMax: Int = .max
  ) throws(WireError) -> Message? {
    precondition(offset >= 0 && offset <= bytes.byteCount, "the offset lies within the bytes")
    var skipped = 0
    do throws(WireError) {
      while true {
        switch state {
        case .length:
          guard let part = gather(4, bytes, &offset) else { return nil }
          state = .type(length: try FrameDecoder.length(part))
        case .type(let length):
          guard let part = gather(1, bytes, &offset) else { return nil }
          state = try FrameDecoder.state(ofType: part[0], length: length)
        case .body(let type, let byteCount):
          guard let body = gather(byteCount, bytes, &offset) else { return nil }
          endFrame()
          return try Message(type, body: body)
        case .skipping(let bytesLeft):
          let count = min(bytesLeft, bytes.byteCount - offset)
          offset += count
          guard count == bytesLeft else {
            state = .skipping(bytesLeft: bytesLeft - count)
            return nil
          }
          endFrame()
          skipped += 1
          if skipped >= framesMax { return nil }
        case .dataFields(let bodyBytes):
          guard let part = gather(DataFields.byteCount, bytes, &offset) else { return nil }
          let fields = try DataFields(part, bodyBytes: bodyBytes)
          guard fields.hasLeafHashes else { return try beginPayload(fields, leafHashes: []) }
          state = .leafHashCount(fields)
        case .leafHashCount(let fields):
          guard let part = gather(1, bytes, &offset) else { return nil }
          state = .leafHashes(fields, count: try fields.leafHashCount(part[0]))
        case .leafHashes(let fields, let count):
          guard let part = gather(count * Digest.byteCount, bytes, &offset) else { return nil }
          var reader = ByteReader(part)
          return try beginPayload(fields, leafHashes: reader.digests(count) ?? [])
        case .payload:
          return nil
        case .failed(let error):
          throw error
        }
      }
    } catch {
      state = .failed(error)
      held = []
      throw error
    }
  }

  /// Reports that the caller took `count` of the due bytes from the stream.
  public mutating func tookPayload(_ count: Int) {
    precondition(count >= 0 && count <= payloadBytesDue, "took more than was due")
    payloadBytesDue -= count
    if payloadBytesDue == 0, case .payload = state { endFrame() }
  }

  private mutating func endFrame() {
    state = .length
    completedFrames += 1
  }

  /// Returns the next `count` bytes of the stream. Nil until all of them have arrived.
  private mutating func gather(_ count: Int, _ bytes: RawSpan, _ offset: inout Int) -> [UInt8]? {
    let taken = min(count - held.count, bytes.byteCount - offset)
    held.append(bytes, offset..<offset + taken)
    offset += taken
    guard held.count == count else { return nil }
    // Release the memory, so that an idle connection holds no buffer.
    defer { held = [] }
    return held
  }

  private mutating func beginPayload(_ fields: DataFields, leafHashes: [Digest]) throws(WireError) -> Message {
    let header = try fields.header(leafHashes: leafHashes)
    payloadBytesDue = header.byteCount
    state = .payload
    return .data(header)
  }

  /// Reads the length field. Throws unless at least one type allows the length.
  private static func length(_ bytes: [UInt8]) throws(WireError) -> UInt32 {
    var reader = ByteReader(bytes)
    let length = reader.u32() ?? 0
    guard length >= 1, length <= ProtocolLimits.dataFrameLengthMax else { throw .badLength(length) }
    return length
  }

  /// Returns the state after the type byte. Throws on a length that the type does not allow, before the body arrives.
  private static func state(ofType rawType: UInt8, length: UInt32) throws(WireError) -> State {
    let bodyBytes = Int(length) - 1
    if rawType != FrameType.data.rawValue, length > ProtocolLimits.frameLengthMax { throw .badLength(length) }
    guard let type = FrameType(rawValue: rawType) else {
      guard rawType & 1 == 1 else { throw .unknownType(rawType) }
      return .skipping(bytesLeft: bodyBytes)
    }
    guard type.bodyBytes.contains(bodyBytes) else { throw .malformed(type) }
    return type == .data ? .dataFields(bodyBytes: bodyBytes) : .body(type, byteCount: bodyBytes)
  }
}

/// The fixed fields of a DATA frame whose header is not complete yet.
struct DataFields {
  /// `id u32 | first leaf u8 | leaf count u8 | flags u8`.
  static let byteCount = 7

  private let id: RequestID
  private let leaves: LeafRange
  private let flags: UInt8
  private let bodyBytes: Int

  /// - `bodyBytes`: the length of the whole body, from the frame's length field.
  init(_ bytes: [UInt8], bodyBytes: Int) throws(WireError) {
    var reader = ByteReader(bytes)
    guard let id = reader.u32(), let leaves = LeafRange(&reader, countMax: ProtocolLimits.dataLeavesMax),
      let flags = reader.u8(), flags & ~(FrameFlags.leafHashes | FrameFlags.last) == 0
    else { throw .malformed(.data) }
    self.id = RequestID(id)
    self.leaves = leaves
    self.flags = flags
    self.bodyBytes = bodyBytes
  }

  var hasLeafHashes: Bool { flags & FrameFlags.leafHashes != 0 }

  /// Checks the number of leaf hashes. It must cover the leaves and leave room for at least one byte of them.
  func leafHashCount(_ count: UInt8) throws(WireError) -> Int {
    guard (leaves.end...ProtocolLimits.leavesPerChunk).contains(Int(count)),
      DataFields.byteCount + 1 + Int(count) * Digest.byteCount < bodyBytes
    else { throw .malformed(.data) }
    return Int(count)
  }

  /// Makes the header. All bytes after the hashes belong to leaves: at least 1, at most the full size of the leaves.
  func header(leafHashes: [Digest]) throws(WireError) -> DataHeader {
    let before = DataFields.byteCount + (hasLeafHashes ? 1 + leafHashes.count * Digest.byteCount : 0)
    let left = bodyBytes - before
    guard left >= 1, left <= leaves.count * ProtocolLimits.leafBytesMax, left <= ProtocolLimits.dataLeafBytesMax else {
      throw .malformed(.data)
    }
    return DataHeader(
      id: id, leaves: leaves, isLast: flags & FrameFlags.last != 0, leafHashes: leafHashes, byteCount: left)
  }
}
