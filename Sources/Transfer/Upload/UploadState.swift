// The files that one peer opened here, and its requests: bounded in number, answered in order, a piece at a time.
import Content
import Wire

/// The next piece to read, seal and send as one DATA.
public struct UploadPiece: Hashable, Sendable {
  public let request: RequestID
  public let handle: FileHandle
  public let chunk: ChunkIndex
  /// At most 65,536 bytes.
  public let leaves: LeafRange
  /// Whether all leaf hashes of the chunk are sent with the piece.
  public let includesLeafHashes: Bool
  public let isLastOfAnswer: Bool
}

/// The serving side of one connection. Unanswered requests hold no buffer.
public struct UploadState: Sendable {
  /// How many files one connection may have open.
  public static let handlesMax = 64
  /// At most this many requests wait on one connection. Further ones are answered BUSY.
  public static let requestsMax = 64

  /// The result of an OPEN.
  public enum Opening: Hashable, Sendable { case opened, tooManyFiles }

  /// The result of a REQUEST.
  public enum Admission: Hashable, Sendable {
    case queued
    /// The answer is BUSY.
    case busy
    /// The handle was withdrawn while the request was on its way. There is no answer.
    case void
  }

  private struct Request: Sendable {
    let id: RequestID
    let handle: FileHandle
    let chunk: ChunkIndex
    let leaves: LeafRange
    let wantsLeafHashes: Bool
    var nextLeaf: Int
    /// Whether no leaf of the answer was sent.
    var isUnsent: Bool { nextLeaf == leaves.first }
  }

  private var layouts: [FileHandle: ChunkLayout] = [:]
  private var withdrawn: Set<FileHandle> = []
  private var requests: [Request] = []
  private var lastID: RequestID?

  public init() {}

  public var openCount: Int { layouts.count }
  public var waitingCount: Int { requests.count }
  /// Bytes of leaves that were promised and are not sent.
  public var waitingByteCount: Int {
    requests.reduce(0) { sum, request in
      let rest = LeafRange(first: request.nextLeaf, count: request.leaves.end - request.nextLeaf)
      return sum + (layouts[request.handle]?.length(of: rest, in: request.chunk) ?? 0)
    }
  }
  public func isOpen(_ handle: FileHandle) -> Bool { layouts[handle] != nil }

  /// Returns whether the handle was open until its file was withdrawn. The peer may not know yet.
  public func wasWithdrawn(_ handle: FileHandle) -> Bool { withdrawn.contains(handle) }

  /// Opens a handle for a file that this node has. The peer chooses the handle, and must not choose one in use.
  public mutating func open(_ handle: FileHandle, _ layout: ChunkLayout) throws(PeerFault) -> Opening {
    guard layouts[handle] == nil else { throw .violation(.handleInUse) }
    guard layouts.count < UploadState.handlesMax else { return .tooManyFiles }
    withdrawn.remove(handle)
    layouts[handle] = layout
    return .opened
  }

  /// Drops the requests for a file that is gone. Requests that are still on their way get no answer.
  public mutating func withdraw(_ handle: FileHandle) {
    guard layouts.removeValue(forKey: handle) != nil else { return }
    withdrawn.insert(handle)
    requests.removeAll { $0.handle == handle }
  }

  /// Handles CLOSE: drops the handle's requests. No more of them can be on the way. A handle that is not open is
  /// ignored: CLOSE crossed WITHDRAWN.
  /// - Returns: the chunks that still had leaves to send, each once, in the order of the requests.
  public mutating func close(_ handle: FileHandle) -> [ChunkIndex] {
    withdrawn.remove(handle)
    guard layouts.removeValue(forKey: handle) != nil else { return [] }
    var chunks: [ChunkIndex] = []
    for request in requests where request.handle == handle && !chunks.contains(request.chunk) {
      chunks.append(request.chunk)
    }
    requests.removeAll { $0.handle == handle }
    return chunks
  }

  /// Checks and queues a request. The fields are unchecked, as they were sent.
  /// - `isAccepted`: whether the leaves are here, and the request may wait.
  public mutating func accept(
    _ id: RequestID, _ handle: FileHandle, chunk: ChunkIndex, firstLeaf: Int, leafCount: Int, wantsLeafHashes: Bool,
    isAccepted: Bool = true
  ) throws(PeerFault) -> Admission {
    if let lastID, id <= lastID { throw .violation(.idNotIncreasing) }
    lastID = id
    guard let layout = layouts[handle] else {
      if withdrawn.contains(handle) { return .void }
      throw .violation(.unknownHandle)
    }
    guard layout.contains(chunk) else { throw .violation(.noSuchChunk) }
    let leavesInChunk = layout.leafCount(of: chunk)
    guard firstLeaf >= 0, firstLeaf < leavesInChunk, leafCount >= 1, leafCount <= leavesInChunk - firstLeaf else {
      throw .violation(.unexpectedLeaves)
    }
    guard isAccepted, requests.count < UploadState.requestsMax else { return .busy }
    requests.append(
      Request(
        id: id, handle: handle, chunk: chunk, leaves: LeafRange(first: firstLeaf, count: leafCount),
        wantsLeafHashes: wantsLeafHashes, nextLeaf: firstLeaf))
    return .queued
  }

  /// Handles CANCEL. It has no effect on a request that was answered in full, was refused or never came. Returns the
  /// chunk of the request if its answer was not sent in full. `isUnsent`: whether no leaf of it was sent.
  @discardableResult
  public mutating func cancel(_ id: RequestID) -> (handle: FileHandle, chunk: ChunkIndex, isUnsent: Bool)? {
    guard let place = requests.firstIndex(where: { $0.id == id }) else { return nil }
    let request = requests.remove(at: place)
    return (request.handle, request.chunk, request.isUnsent)
  }

  /// Returns how many requests for a file wait of whose answers no leaf was sent.
  func unsentCount(of handle: FileHandle) -> Int { requests.count { $0.handle == handle && $0.isUnsent } }

  /// Returns whether leaves of a chunk wait to be sent.
  public func awaits(_ chunk: ChunkIndex, of handle: FileHandle) -> Bool {
    requests.contains { $0.chunk == chunk && $0.handle == handle }
  }

  /// Bytes of the leaves in the next piece; nil if no request waits.
  public var nextPieceByteCount: Int? {
    guard let request = requests.first, let layout = layouts[request.handle] else { return nil }
    return layout.length(of: nextLeaves(of: request, in: layout), in: request.chunk)
  }

  /// Returns the next leaves of a request, as many as fit into one DATA.
  private func nextLeaves(of request: Request, in layout: ChunkLayout) -> LeafRange {
    layout.run(
      from: request.nextLeaf, to: request.leaves.end,
      byteCountMax: ProtocolLimits.dataFullLeavesMax * layout.leafSize, in: request.chunk)
  }

  /// The file and chunk of the next piece.
  public var nextChunk: (handle: FileHandle, chunk: ChunkIndex)? { requests.first.map { ($0.handle, $0.chunk) } }

  /// Removes and returns the next piece to send, in the order of the requests; nil if no request waits.
  public mutating func nextPiece() -> UploadPiece? {
    guard let request = requests.first, let layout = layouts[request.handle] else { return nil }
    let leaves = nextLeaves(of: request, in: layout)
    let isLast = leaves.end == request.leaves.end
    if isLast { requests.removeFirst() } else { requests[0].nextLeaf = leaves.end }
    return UploadPiece(
      request: request.id, handle: request.handle, chunk: request.chunk, leaves: leaves,
      includesLeafHashes: request.wantsLeafHashes && leaves.first == request.leaves.first, isLastOfAnswer: isLast)
  }

  /// Puts back a piece that `nextPiece` returned and that was not sent. It becomes the next one again.
  public mutating func putBack(_ piece: UploadPiece) {
    if !piece.isLastOfAnswer, requests.first?.id == piece.request {
      requests[0].nextLeaf = piece.leaves.first
    } else if piece.isLastOfAnswer, layouts[piece.handle] != nil {
      requests.insert(
        Request(
          id: piece.request, handle: piece.handle, chunk: piece.chunk, leaves: piece.leaves,
          wantsLeafHashes: piece.includesLeafHashes, nextLeaf: piece.leaves.first),
        at: 0)
    }
  }
}
