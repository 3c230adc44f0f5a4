// Cuts one direction's stream of plaintexts into messages; holds at most one control frame and never a leaf's byte.
import Content

/// One direction of one connection. Sans-IO; not shared between threads.
///
/// Feed it records' plaintexts in order, and call `next` until it returns nil with the offset at the end of the bytes.
/// After `.data` the next `payloadBytesDue` bytes of the stream are leaves': the caller takes them itself, from as many
/// plaintexts as they span, and says so with `tookPayload`. After an error the stream has no meaning: every further
/// call throws the same error.
public struct FrameDecoder: Sendable {
  private enum State {
    /// Between frames, or within the length of one.
    case length
    /// Before the type of a frame whose length is possible for some type.
    case type(length: UInt32)
    /// Within the body of a control frame, of so many bytes.
    case body(FrameType, byteCount: Int)
    /// Within an extension's body.
    case skipping(bytesLeft: Int)
    /// Within DATA's fixed fields.
    case dataFields(bodyBytes: Int)
    /// Within DATA's leaf hashes, whose number is not known until its byte came.
    case leafHashCount(DataFields)
    case leafHashes(DataFields, count: Int)
    /// The leaves' bytes are due.
    case payload
    case failed(WireError)
  }

  private var state = State.length
  /// The bytes of the present part that came; grows as they come, not as they are announced.
  private var held: [UInt8] = []
  /// Bytes of leaves that are next in the stream; 0 except after `.data`.
  public private(set) var payloadBytesDue = 0
  /// Frames that were complete, skipped ones included: a change says that the next frame begins.
  public private(set) var completedFrames = 0

  public init() {}

  /// Bytes that the decoder holds on the heap.
  var bufferBytes: Int { held.capacity }

  /// Whether a frame has begun and is not complete: it must make progress, and the stream must not end here.
  public var isMidFrame: Bool {
    if case .length = state { return !held.isEmpty }
    return true
  }

  /// Consumes from `bytes` at `offset`, which must lie within them; returns the next message.
  ///
  /// Nil means that it needs more bytes, that the leaves' bytes are due, or that it has skipped `framesMax` frames.
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

  /// Says that the caller took `count` of the bytes that were due from the stream.
  public mutating func tookPayload(_ count: Int) {
    precondition(count >= 0 && count <= payloadBytesDue, "took more than was due")
    payloadBytesDue -= count
    if payloadBytesDue == 0, case .payload = state { endFrame() }
  }

  private mutating func endFrame() {
    state = .length
    completedFrames += 1
  }

  /// The next `count` bytes of the stream, once they all came.
  private mutating func gather(_ count: Int, _ bytes: RawSpan, _ offset: inout Int) -> [UInt8]? {
    let taken = min(count - held.count, bytes.byteCount - offset)
    held.append(bytes, offset..<offset + taken)
    offset += taken
    guard held.count == count else { return nil }
    // Given away, not kept: an idle connection holds no buffer.
    defer { held = [] }
    return held
  }

  private mutating func beginPayload(_ fields: DataFields, leafHashes: [Digest]) throws(WireError) -> Message {
    let header = try fields.header(leafHashes: leafHashes)
    payloadBytesDue = header.byteCount
    state = .payload
    return .data(header)
  }

  /// A length that at least one type can have.
  private static func length(_ bytes: [UInt8]) throws(WireError) -> UInt32 {
    var reader = ByteReader(bytes)
    let length = reader.u32() ?? 0
    guard length >= 1, length <= ProtocolLimits.dataFrameLengthMax else { throw .badLength(length) }
    return length
  }

  /// What follows a frame's type. Refuses a length that the type cannot have, before the body is waited for.
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

/// The fixed fields of a DATA frame while its header is still on its way.
struct DataFields {
  /// `id u32 | first leaf u8 | leaf count u8 | flags u8`.
  static let byteCount = 7

  private let id: RequestID
  private let leaves: LeafRange
  private let flags: UInt8
  private let bodyBytes: Int

  /// `bodyBytes` is what the frame's length left for all of the body.
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

  /// The number of leaf hashes, which must cover the leaves and leave room for at least one byte of them.
  func leafHashCount(_ count: UInt8) throws(WireError) -> Int {
    guard (leaves.end...ProtocolLimits.leavesPerChunk).contains(Int(count)),
      DataFields.byteCount + 1 + Int(count) * Digest.byteCount < bodyBytes
    else { throw .malformed(.data) }
    return Int(count)
  }

  /// What is left of the frame after the hashes is the leaves' bytes: at least 1, at most the leaves' size.
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
