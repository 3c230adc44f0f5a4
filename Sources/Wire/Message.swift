// The messages that two ends exchange after the handshake. One value is one frame.
import Content

/// A file that one end has opened at the other. The opener chooses the number; both directions use it.
public struct FileHandle: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// The number of a request. In one direction of a connection, each is greater than the one before.
public struct RequestID: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (a: RequestID, b: RequestID) -> Bool { a.rawValue < b.rawValue }
}

/// A decoded frame (`Protocol/README.md`, "Messages"). Its initialisers ensure that every value fits in a frame.
public enum Message: Hashable, Sendable {
  case open(Open)
  case opened(Opened)
  case pageGet(PageGet)
  case page(PageAnswer)
  case request(ChunkRequest)
  /// The start of the frame. `byteCount` bytes of leaves follow it in the stream.
  case data(DataHeader)
  case cancel(RequestID)
  case busy(Busy)
  case have(Have)
  case bitmap(Bitmap)
  case withdrawn(Withdrawn)
  case peers(PeerExchange)
  case ping(UInt64)
  case pong(UInt64)
  case goodbye(Goodbye)
  case promised(Promised)
  /// The opener gives a handle back. Its requests for that file are void.
  case close(FileHandle)

  public var type: FrameType {
    switch self {
    case .open: .open
    case .opened: .opened
    case .pageGet: .pageGet
    case .page: .page
    case .request: .request
    case .data: .data
    case .cancel: .cancel
    case .busy: .busy
    case .have: .have
    case .bitmap: .bitmap
    case .withdrawn: .withdrawn
    case .peers: .peers
    case .ping: .ping
    case .pong: .pong
    case .goodbye: .goodbye
    case .promised: .promised
    case .close: .close
    }
  }
}

/// Asks to open a file without naming it. The bucket finds candidates; the proof shows which file is meant.
public struct Open: Hashable, Sendable {
  public let handle: FileHandle
  /// The first two bytes of HMAC(K, "bucket"), as a big-endian number.
  public let bucket: UInt16
  /// HMAC(K, "open" ‖ handshake hash ‖ direction).
  public let proof: Digest

  public init(handle: FileHandle, bucket: UInt16, proof: Digest) {
    self.handle = handle
    self.bucket = bucket
    self.proof = proof
  }
}

/// Asks for a page of chunk hashes.
public struct PageGet: Hashable, Sendable {
  public let handle: FileHandle
  /// The page, counted from 0, in pages of `ProtocolLimits.chunksPerPage` chunks.
  public let page: UInt32

  public init(handle: FileHandle, page: UInt32) {
    self.handle = handle
    self.page = page
  }
}

/// A page of chunk hashes with the uncle hashes that lead to the root.
public struct PageAnswer: Hashable, Sendable {
  public let handle: FileHandle
  public let page: UInt32
  /// One hash for each chunk of the page: 1…1,024.
  public let chunkHashes: [Digest]
  /// At most `ProtocolLimits.unclesPerPageMax`, the lowest level first.
  public let uncles: [Digest]

  public init(handle: FileHandle, page: UInt32, chunkHashes: [Digest], uncles: [Digest]) {
    precondition((1...ProtocolLimits.chunksPerPage).contains(chunkHashes.count), "a page has 1…1,024 chunks")
    precondition(uncles.count <= ProtocolLimits.unclesPerPageMax, "a page has at most 12 uncles")
    self.handle = handle
    self.page = page
    self.chunkHashes = chunkHashes
    self.uncles = uncles
  }
}

/// Refuses one request for now.
public struct Busy: Hashable, Sendable {
  public let id: RequestID
  public let retryAfterMilliseconds: UInt32

  public init(id: RequestID, retryAfterMilliseconds: UInt32) {
    self.id = id
    self.retryAfterMilliseconds = retryAfterMilliseconds
  }
}

/// Takes an opened file back. Its handle is gone, and unanswered requests for it are void.
public struct Withdrawn: Hashable, Sendable {
  public enum Reason: UInt8, Sendable, CaseIterable {
    case changed = 1
    case removed = 2
    case unreadable = 3
    case notOffered = 4
  }

  public let handle: FileHandle
  public let reason: Reason

  public init(handle: FileHandle, reason: Reason) {
    self.handle = handle
    self.reason = reason
  }
}

/// The last frame of a direction.
public struct Goodbye: Hashable, Sendable {
  public let code: CloseCode
  /// Text for a person, at most 128 bytes of UTF-8.
  public let text: String

  /// Cuts a longer text at a character.
  public init(code: CloseCode, text: String = "") {
    self.code = code
    self.text = text.clipped(toUTF8Bytes: ProtocolLimits.goodbyeTextBytesMax)
  }
}
