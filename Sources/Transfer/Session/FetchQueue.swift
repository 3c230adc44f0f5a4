// The requests of this node on one connection. Every answer of the peer is checked against them.
import Content
import Wire

/// Numbers the requests of all contents that a connection fetches, bounds how many are in flight, and checks their
/// answers. Answers come in the order of the requests, over all contents. Only cancelled requests may be skipped.
///
/// Each content numbers its own requests. On the wire a request keeps this number if it is greater than the last number
/// there; else it gets the next number.
public struct FetchQueue: Sendable {
  private struct Request: Sendable {
    /// The number on the wire.
    let wireID: RequestID
    let handle: FileHandle
    /// The number that the content gave.
    let id: RequestID
    let chunk: ChunkIndex
    let layout: ChunkLayout
    let leaves: LeafRange
    let needed: UInt64
    let chunkHash: Digest
    let wantsLeafHashes: Bool
    var leafHashes: [Digest]?
    var nextLeaf: Int
    var isCancelled = false
  }

  private struct Waiting: Sendable {
    let request: FetchRequest
    let layout: ChunkLayout
    /// How many requests of all contents were added before.
    let order: Int
  }

  /// The requests of one content.
  private struct Line: Sendable {
    let handle: FileHandle
    /// Requests that are sent and neither answered nor cancelled.
    var inFlightCount = 0
    var waiting: [Waiting] = []
    var lastID: RequestID?
  }

  /// Calculates the hash of a chunk from the hashes of all its leaves.
  public typealias ChunkHash = @Sendable ([Digest], ChunkIndex, ChunkLayout) -> Digest

  private let chunkHash: ChunkHash
  private let inFlightMax: Int
  /// The sent requests, in the order of sending. A cancelled one stays until a later one is answered.
  private var requests: [Request] = []
  private var lines: [Line] = []
  private var lastID: RequestID?
  private var addedCount = 0
  /// Requests that are sent and neither answered nor cancelled.
  public private(set) var inFlightCount = 0
  public private(set) var waitingCount = 0
  /// The content of the latest DATA.
  public private(set) var answering: FileHandle?

  /// - `inFlightMax`: how many unanswered requests the peer accepts; at least 1.
  public init(
    inFlightMax: Int = ProtocolLimits.requestsInFlightMax,
    chunkHash: @escaping ChunkHash = { $2.chunkHash($0, of: $1) }
  ) {
    precondition(inFlightMax >= 1, "a peer accepts requests")
    self.inFlightMax = inFlightMax
    self.chunkHash = chunkHash
  }

  // MARK: Requests

  /// Adds a request of a content. `next` returns the request when its turn comes.
  public mutating func add(_ request: FetchRequest, of handle: FileHandle, in layout: ChunkLayout) {
    precondition(request.leaves.end <= layout.leafCount(of: request.chunk), "no such leaf")
    precondition(
      request.leafHashes.map { $0.count == layout.leafCount(of: request.chunk) } ?? true, "a hash for each leaf")
    let line = line(of: handle) ?? lines.count
    if line == lines.count { lines.append(Line(handle: handle)) }
    precondition(lines[line].lastID.map { $0 < request.id } ?? true, "request ids increase")
    lines[line].lastID = request.id
    lines[line].waiting.append(Waiting(request: request, layout: layout, order: addedCount))
    addedCount += 1
    waitingCount += 1
  }

  /// Returns the next request to send. Nil if none waits, or if as many are in flight as the peer accepts. The content
  /// with the fewest requests in flight comes first; of several, the one whose request has waited longest.
  public mutating func next() -> ChunkRequest? {
    guard waitingCount > 0, inFlightCount < inFlightMax else { return nil }
    var best: Int?
    for line in lines.indices where !lines[line].waiting.isEmpty {
      if best.map({ turn(of: line) < turn(of: $0) }) ?? true { best = line }
    }
    guard let line = best else { return nil }
    let waiting = lines[line].waiting.removeFirst()
    waitingCount -= 1
    lines[line].inFlightCount += 1
    inFlightCount += 1
    return send(waiting.request, of: lines[line].handle, in: waiting.layout)
  }

  private func turn(of line: Int) -> (Int, Int) { (lines[line].inFlightCount, lines[line].waiting[0].order) }

  /// Enters a request as sent. If its leaf hashes are not known, it asks for them.
  private mutating func send(_ request: FetchRequest, of handle: FileHandle, in layout: ChunkLayout) -> ChunkRequest {
    let wireID = lastID.map { max(RequestID($0.rawValue + 1), request.id) } ?? request.id
    lastID = wireID
    let wantsLeafHashes = request.leafHashes == nil
    requests.append(
      Request(
        wireID: wireID, handle: handle, id: request.id, chunk: request.chunk, layout: layout, leaves: request.leaves,
        needed: request.needed, chunkHash: request.chunkHash, wantsLeafHashes: wantsLeafHashes,
        leafHashes: request.leafHashes, nextLeaf: request.leaves.first))
    return ChunkRequest(
      id: wireID, handle: handle, chunk: request.chunk, leaves: request.leaves, wantsLeafHashes: wantsLeafHashes)
  }

  // MARK: Questions

  private func line(of handle: FileHandle) -> Int? {
    for line in lines.indices where lines[line].handle == handle { return line }
    return nil
  }

  /// Returns how many requests of a content are sent and neither answered nor cancelled.
  public func inFlightCount(of handle: FileHandle) -> Int { line(of: handle).map { lines[$0].inFlightCount } ?? 0 }

  /// Returns whether a content has requests that wait, or that are sent and neither answered nor cancelled.
  public func isAwaited(by handle: FileHandle) -> Bool {
    line(of: handle).map { lines[$0].inFlightCount > 0 || !lines[$0].waiting.isEmpty } ?? false
  }

  /// The content of the request whose answer is due now.
  public var nextInLine: FileHandle? {
    for place in requests.indices where !requests[place].isCancelled { return requests[place].handle }
    return nil
  }

  // MARK: Cancelling

  /// Cancels a request. If it was not sent, it is forgotten. Else its remaining answer is dropped without blame.
  /// - Returns: the number on the wire, for CANCEL; nil if the request was not sent, or is answered or cancelled.
  public mutating func cancel(_ id: RequestID, of handle: FileHandle) -> RequestID? {
    guard let line = line(of: handle) else { return nil }
    if let place = lines[line].waiting.firstIndex(where: { $0.request.id == id }) {
      lines[line].waiting.remove(at: place)
      waitingCount -= 1
      return nil
    }
    let place = requests.firstIndex { $0.id == id && $0.handle == handle && !$0.isCancelled }
    return place.map { cancel(at: $0) }
  }

  /// Cancels all requests of a content. Returns their numbers on the wire, for CANCEL.
  public mutating func cancelAll(of handle: FileHandle) -> [RequestID] {
    guard let line = line(of: handle) else { return [] }
    let sent = requests.indices.filter { requests[$0].handle == handle && !requests[$0].isCancelled }
    let ids = sent.map { cancel(at: $0) }
    waitingCount -= lines[line].waiting.count
    lines.remove(at: line)
    return ids
  }

  private mutating func cancel(at place: Int) -> RequestID {
    requests[place].isCancelled = true
    requests[place].leafHashes = nil
    settled(requests[place].handle)
    return requests[place].wireID
  }

  /// Counts a request as no longer in flight.
  private mutating func settled(_ handle: FileHandle) {
    inFlightCount -= 1
    if let line = line(of: handle) { lines[line].inFlightCount -= 1 }
  }

  // MARK: Answers

  /// Handles BUSY. Returns the refused request; nil if it was cancelled.
  public mutating func busy(_ wireID: RequestID) throws(PeerFault) -> (handle: FileHandle, id: RequestID)? {
    guard let place = requests.firstIndex(where: { $0.wireID == wireID }) else { throw .violation(.unknownRequest) }
    let request = requests.remove(at: place)
    if request.isCancelled { return nil }
    settled(request.handle)
    guard request.nextLeaf == request.leaves.first else { throw .violation(.wrongEnd) }
    return (request.handle, request.id)
  }

  /// Checks a DATA against the request that it answers. Returns the piece; nil if the request was cancelled.
  /// - `leafHashes`: the hashes that the DATA brought; nil if none.
  /// - `byteCount`: bytes of its leaves.
  public mutating func handle(
    _ wireID: RequestID, firstLeaf: Int, leafCount: Int, isLast: Bool, leafHashes: [Digest]?, byteCount: Int
  ) throws(PeerFault) -> FetchedPiece? {
    guard let place = requests.firstIndex(where: { $0.wireID == wireID }) else { throw .violation(.unknownRequest) }
    guard requests[..<place].allSatisfy(\.isCancelled) else { throw .violation(.answerOutOfOrder) }
    requests.removeFirst(place)
    var request = requests[0]
    answering = request.handle
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
        guard chunkHash(leafHashes, request.chunk, request.layout) == request.chunkHash else { throw .lie }
        request.leafHashes = leafHashes
      }
    }
    request.nextLeaf = leaves.end
    if isLast { requests.removeFirst() } else { requests[0] = request }
    guard !request.isCancelled, let known = request.leafHashes else { return nil }
    if isLast { settled(request.handle) }
    return FetchedPiece(
      handle: request.handle, request: request.id, chunk: request.chunk, leaves: leaves,
      needed: request.needed & leaves.mask, leafHashes: Array(known[leaves.first..<leaves.end]), layout: request.layout,
      fileOffset: request.layout.offset(ofLeaf: leaves.first, in: request.chunk), byteCount: byteCount,
      isFirstOfAnswer: isFirst, isLastOfAnswer: isLast, chunkLeafHashes: leafHashes)
  }
}
