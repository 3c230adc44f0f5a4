// My requests on one connection and what of their answers is due: nothing that a peer sends is taken unchecked.
import Content
import Wire

/// What a peer did wrong in answering.
public enum PeerFault: Error, Hashable, Sendable {
  /// Leaf hashes that do not hash up to the chunk hash, or too few or many: a lie, for a ban.
  case lie
  /// The protocol was broken: the connection is closed.
  case violation(Violation)

  public enum Violation: Hashable, Sendable {
    /// An id that was never sent, or whose answer ended.
    case unknownRequest
    /// An answer overtook one that was not cancelled.
    case answerOutOfOrder
    /// Leaves that were not the next, or not asked for.
    case unexpectedLeaves
    case wrongByteCount
    /// Leaf hashes that were asked for and are missing, or that were not asked for.
    case unexpectedLeafHashes
    /// The answer's end was marked too early or too late.
    case wrongEnd
    /// An id that does not increase.
    case idNotIncreasing
    case unknownHandle
    case handleInUse
    case noSuchChunk
  }
}

/// A piece of an expected answer. The caller hashes it leaf by leaf and writes it.
public struct FetchedPiece: Hashable, Sendable {
  public let request: RequestID
  public let chunk: ChunkIndex
  public let leaves: LeafRange
  /// What each of the leaves must hash to.
  public let leafHashes: [Digest]
  /// Where the bytes belong in the file.
  public let fileOffset: UInt64
  public let byteCount: Int
  public let isFirstOfAnswer: Bool
  public let isLastOfAnswer: Bool
  /// All leaf hashes of the chunk, verified, where this piece brought them: for later requests of its leaves.
  public let chunkLeafHashes: [Digest]?
}

/// Outstanding requests in the order of their ids. Answers come in this order and skip only what was cancelled.
public struct FetchQueue: Sendable {
  private struct Request: Sendable {
    let id: RequestID
    let chunk: ChunkIndex
    let layout: ChunkLayout
    let leaves: LeafRange
    let chunkHash: Digest
    let wantsLeafHashes: Bool
    var leafHashes: [Digest]?
    var nextLeaf: Int
    var isCancelled = false
  }

  /// The hash of a chunk from the hashes of all its leaves.
  public typealias ChunkHash = @Sendable ([Digest], ChunkLayout) -> Digest

  private let chunkHash: ChunkHash
  private var requests: [Request] = []
  private var lastID: RequestID?

  public init(chunkHash: @escaping ChunkHash) { self.chunkHash = chunkHash }

  /// Requests that are neither answered nor cancelled.
  public var outstandingCount: Int { requests.reduce(0) { $0 + ($1.isCancelled ? 0 : 1) } }

  /// A request was sent. Without `knownLeafHashes` it asked for them.
  public mutating func add(
    _ id: RequestID, chunk: ChunkIndex, in layout: ChunkLayout, leaves: LeafRange, chunkHash: Digest,
    knownLeafHashes: [Digest]?
  ) {
    precondition(lastID.map { $0 < id } ?? true, "request ids increase")
    precondition(leaves.end <= layout.leafCount(of: chunk), "no such leaf")
    precondition(knownLeafHashes.map { $0.count == layout.leafCount(of: chunk) } ?? true, "a hash for each leaf")
    lastID = id
    requests.append(
      Request(
        id: id, chunk: chunk, layout: layout, leaves: leaves, chunkHash: chunkHash,
        wantsLeafHashes: knownLeafHashes == nil, leafHashes: knownLeafHashes, nextLeaf: leaves.first))
  }

  /// CANCEL was sent: what still comes is dropped without blame.
  public mutating func cancel(_ id: RequestID) {
    guard let place = requests.firstIndex(where: { $0.id == id }) else { return }
    requests[place].isCancelled = true
    requests[place].leafHashes = nil
  }

  /// CANCEL is sent for all: what still comes is dropped. Returns those that were waited for.
  public mutating func cancelAll() -> [RequestID] {
    let waited = requests.filter { !$0.isCancelled }.map(\.id)
    for id in waited { cancel(id) }
    return waited
  }

  /// BUSY came. True where the request was waited for.
  public mutating func busy(_ id: RequestID) throws(PeerFault) -> Bool {
    guard let place = requests.firstIndex(where: { $0.id == id }) else { throw .violation(.unknownRequest) }
    let request = requests.remove(at: place)
    guard request.isCancelled || request.nextLeaf == request.leaves.first else { throw .violation(.wrongEnd) }
    return !request.isCancelled
  }

  /// DATA came: its fields as they were sent, the hashes it brought (nil: none), and how many bytes of leaves.
  /// Nil where it belongs to a cancelled request.
  public mutating func handle(
    _ id: RequestID, firstLeaf: Int, leafCount: Int, isLast: Bool, leafHashes: [Digest]?, byteCount: Int
  ) throws(PeerFault) -> FetchedPiece? {
    guard let place = requests.firstIndex(where: { $0.id == id }) else { throw .violation(.unknownRequest) }
    guard requests[..<place].allSatisfy(\.isCancelled) else { throw .violation(.answerOutOfOrder) }
    requests.removeFirst(place)
    var request = requests[0]
    guard (1...ProtocolLimits.dataLeavesMax).contains(leafCount), firstLeaf == request.nextLeaf,
      leafCount <= request.leaves.end - firstLeaf
    else { throw .violation(.unexpectedLeaves) }
    let leaves = LeafRange(first: firstLeaf, count: leafCount)
    guard byteCount == request.layout.length(of: leaves, in: request.chunk) else { throw .violation(.wrongByteCount) }
    guard isLast == (leaves.end == request.leaves.end) else { throw .violation(.wrongEnd) }
    let isFirst = firstLeaf == request.leaves.first
    guard (leafHashes != nil) == (isFirst && request.wantsLeafHashes) else { throw .violation(.unexpectedLeafHashes) }
    if let leafHashes {
      guard leafHashes.count == request.layout.leafCount(of: request.chunk) else { throw .lie }
      if !request.isCancelled {
        guard chunkHash(leafHashes, request.layout) == request.chunkHash else { throw .lie }
        request.leafHashes = leafHashes
      }
    }
    request.nextLeaf = leaves.end
    if isLast { requests.removeFirst() } else { requests[0] = request }
    guard !request.isCancelled, let known = request.leafHashes else { return nil }
    return FetchedPiece(
      request: id, chunk: request.chunk, leaves: leaves, leafHashes: Array(known[leaves.first..<leaves.end]),
      fileOffset: request.layout.offset(ofLeaf: leaves.first, in: request.chunk), byteCount: byteCount,
      isFirstOfAnswer: isFirst, isLastOfAnswer: isLast, chunkLeafHashes: leafHashes)
  }
}
