// The serving side of a session: what the peer asks of this node. A peer learns nothing about a file unless it proves
// that it knows the fileID.
import Content
import Wire

extension PeerSession {
  /// The delay in BUSY to a peer that requests while this node shuts down.
  private static let retryAfterShutDownMilliseconds: UInt32 = 60_000
  /// The delay in BUSY to a request that exceeds the limits.
  public static let retryAfterMilliseconds: UInt32 = 1_000

  // MARK: Opening

  mutating func accept(_ open: Open) {
    guard opens.count < ProtocolLimits.opensUnansweredMax else {
      return close(.violation("more than \(ProtocolLimits.opensUnansweredMax) OPENs at a time"))
    }
    lookUp(open)
  }

  private mutating func lookUp(_ open: Open) {
    opens.lookUpCount += 1
    act(.lookUp(open))
  }

  /// Returns whether an OPEN means the file with this key, and proves that the peer knows its fileID.
  public func isMeant(_ key: FileKey, by open: Open) -> Bool {
    FileKey.matches(open.proof, due: key.openProof(handshakeHash, sender: role.other))
  }

  /// Takes the caller's answer to `lookUp`. True if the file is now open.
  @discardableResult
  mutating func answer(_ open: Open, _ answer: OpenAnswer, at now: Instant) -> Bool {
    guard !isEnded else { return false }
    opens.lookUpCount -= 1
    switch answer {
    case .file(let file): return offer(file, as: open.handle, at: now)
    case .notYet: opens.waiting.append(open)
    case .noSuchFile: if opens.missed.miss(open.handle, at: now) { refuse(open.handle, .noSuchFile) }
    }
    return false
  }

  /// Answers the OPENs that are due. Call it when `deadline` has come.
  mutating func timeFired(at now: Instant) {
    guard !isEnded else { return }
    for handle in opens.missed.due(at: now) { refuse(handle, .noSuchFile) }
  }

  /// Looks again for the files of waiting OPENs, because more files are served than before, or the scan is over.
  public mutating func lookUpAgain() {
    for open in opens.takeWaiting() { lookUp(open) }
  }

  private mutating func offer(_ file: ServedFile, as handle: FileHandle, at now: Instant) -> Bool {
    // One handle per file: else every hint about the file would be sent once per handle.
    if served[handle] == nil, served.values.contains(where: { $0.isOpen(file) }) {
      refuse(handle, .tooManyFilesOpen)
      return false
    }
    guard openingPace.take(file.layout.chunkCount, at: now) else {
      refuse(handle, .tooManyFilesOpen)
      return false
    }
    do throws(PeerFault) {
      guard try upload.open(handle, file.layout) == .opened else {
        refuse(handle, .tooManyFilesOpen)
        return false
      }
    } catch {
      close(SessionEnd(error))
      return false
    }
    served[handle] = OpenFile(
      kind: file.kind, pages: file.pages, root: file.root,
      announcedPages: file.parts.map { $0.pagesOfWholeChunks(in: file.pages) })
    let offered = OfferedFile(
      proof: file.key.haveProof(handshakeHash, sender: role), kind: file.kind.rawValue,
      length: file.layout.fileLength, root: file.root,
      chunkSizeLog2: UInt8(file.layout.chunkSize.trailingZeroBitCount),
      availability: file.parts == nil ? .complete : .partial,
      suggestedName: file.name)
    send(.opened(Opened(handle: handle, outcome: .opened(offered))))
    if let parts = file.parts { describe(parts, of: handle, chunkCount: file.layout.chunkCount) }
    return true
  }

  private mutating func describe(_ parts: HeldParts, of handle: FileHandle, chunkCount: Int) {
    for first in stride(from: 0, to: chunkCount, by: ProtocolLimits.bitmapChunksMax) {
      let count = min(ProtocolLimits.bitmapChunksMax, chunkCount - first)
      let bits = Array(parts.wholeChunks[first / 8..<(first + count + 7) / 8])
      send(.bitmap(Bitmap(handle: handle, firstChunk: ChunkIndex(UInt32(first)), count: count, bits: bits)))
    }
    served[handle]?.announce(parts.runs)
    hints.add(parts.runs, of: handle)
  }

  /// Returns whether a handle is open and this node has only a part of its file.
  private func isPartial(_ handle: FileHandle) -> Bool { served[handle]?.isPartial == true }

  // MARK: Closing

  /// Handles CLOSE: drops the peer's requests for that file. They get no answer.
  mutating func takeBack(_ handle: FileHandle, at now: Instant) {
    let isPartial = isPartial(handle)
    cancelBudget.spend(upload.unsentCount(of: handle), at: now)
    for chunk in upload.close(handle) where !isPartial { act(.settle(handle, chunk)) }
    guard served.removeValue(forKey: handle) != nil else { return }
    pagesWaiting.removeAll { $0.handle == handle }
    hints.remove(handle)
    act(.closed(handle))
  }

  // MARK: Hints

  /// Announces new leaves of a file to a peer that opened it while this node had only a part.
  public mutating func announce(_ runs: [LeafRun], of handle: FileHandle) {
    guard !isEnded, isPartial(handle) else { return }
    served[handle]?.announce(runs)
    hints.add(runs, of: handle)
  }

  /// Announces that these chunks of a file were promised to other peers.
  public mutating func announce(promised chunks: [ChunkIndex], of handle: FileHandle) {
    if !isEnded, served[handle] != nil { hints.add(promised: chunks, of: handle) }
  }

  /// Announces other peers that have a file which this peer has open; at most 50.
  public mutating func announce(peers: [PeerExchange.Entry], of handle: FileHandle) {
    if !isEnded, served[handle] != nil { hints.add(peers: peers, of: handle) }
  }

  /// Removes and returns the next hint that was announced and not sent. Call it only when the connection has room:
  /// until then new hints are merged with the waiting ones.
  mutating func nextHint() -> Message? { isEnded ? nil : hints.next() }

  /// Drops the PROMISED and PEERS that wait, because memory is short.
  public mutating func dropHints() { hints.dropPromisedAndPeers() }

  private mutating func refuse(_ handle: FileHandle, _ refusal: Opened.Refusal) {
    send(.opened(Opened(handle: handle, outcome: .refused(refusal))))
  }

  // MARK: Pages and requests

  /// Queues a page. Pages wait for their turn as pieces do, because a short PAGE_GET asks for a long page.
  mutating func accept(_ get: PageGet) {
    guard let file = served[get.handle] else {
      // The file was withdrawn while the PAGE_GET was on its way, or the peer made a mistake.
      if !upload.wasWithdrawn(get.handle) { close(.violation("a handle that is not open")) }
      return
    }
    guard file.pages.contains(PageIndex(get.page)) else {
      return close(.violation("page \(get.page) of a file that has fewer"))
    }
    guard file.offers(get.page) else {
      return close(.violation("page \(get.page), of which no chunk was announced"))
    }
    guard pagesWaiting.count < ProtocolLimits.requestsInFlightMax else {
      return close(.violation("more than \(ProtocolLimits.requestsInFlightMax) pages asked for at a time"))
    }
    pagesWaiting.append(get)
  }

  /// Has the caller decide on a request. A peer that takes back too many is answered BUSY without that.
  mutating func accept(_ request: ChunkRequest, at now: Instant) {
    guard cancelBudget.hasRoom(at: now) else { return admit(request, isHeld: false) }
    act(.admit(request))
  }

  /// Takes the caller's answer to `admit`. If the leaves are not here, or are not sent now, the answer is BUSY, and the
  /// peer may ask again.
  mutating func admit(
    _ request: ChunkRequest, isHeld: Bool, retryAfterMilliseconds: UInt32 = PeerSession.retryAfterMilliseconds
  ) {
    guard !isEnded else { return }
    if isShuttingDown {
      if served[request.handle] != nil {
        send(
          .busy(Busy(id: request.id, retryAfterMilliseconds: PeerSession.retryAfterShutDownMilliseconds)))
      }
      return
    }
    let delay = upload.waitingCount > 0 ? uploadDelay : nil
    do throws(PeerFault) {
      let verdict = try upload.accept(
        request.id, request.handle, chunk: request.chunk, firstLeaf: request.leaves.first,
        leafCount: request.leaves.count, wantsLeafHashes: request.wantsLeafHashes, isAccepted: isHeld && delay == nil)
      switch verdict {
      case .queued: if !isPartial(request.handle) { act(.promise(request.handle, request.chunk)) }
      case .busy:
        let milliseconds = delay.map { UInt32(clamping: $0.wholeNanoseconds / 1_000_000) }
        send(.busy(Busy(id: request.id, retryAfterMilliseconds: milliseconds ?? retryAfterMilliseconds)))
      case .void: break  // the file was withdrawn meanwhile
      }
    } catch {
      close(SessionEnd(error))
    }
  }

  /// Handles CANCEL.
  mutating func takeBack(_ id: RequestID, at now: Instant) {
    guard let (handle, chunk, isUnsent) = upload.cancel(id) else { return }
    if isUnsent { cancelBudget.spend(1, at: now) }
    guard !isPartial(handle), !awaits(chunk, of: handle) else { return }
    act(.settle(handle, chunk))
  }

  // MARK: Sending

  /// Returns whether leaves of a chunk wait to be sent.
  public func awaits(_ chunk: ChunkIndex, of handle: FileHandle) -> Bool { upload.awaits(chunk, of: handle) }

  /// Bytes of leaves that were promised to the peer and are not sent.
  public var waitingByteCount: Int { upload.waitingByteCount }
  /// Requests that wait for their turn.
  public var waitingCount: Int { upload.waitingCount }

  /// Whether pages or pieces that the peer asked for wait to be sent.
  public var hasUploads: Bool { upload.waitingCount > 0 || !pagesWaiting.isEmpty }

  /// Bytes of the next upload that count against an upload limit: the bytes of its leaves, or of the PAGE. Nil if the
  /// peer asks for nothing.
  public var nextUploadByteCount: Int? {
    guard let get = pagesWaiting.first else { return upload.nextPieceByteCount }
    return served[get.handle].map { PageAnswer.byteCount(of: PageIndex(get.page), in: $0.pages) }
  }

  /// Whether the next upload is a page that was sent before. Such a page does not go before the pieces of other peers.
  public var isNextPageRepeated: Bool {
    guard let get = pagesWaiting.first else { return false }
    return served[get.handle]?.pagesSent.contains(get.page) == true
  }

  /// The file and chunk of the next upload; nil if the next upload is not a piece.
  public var nextPieceChunk: (handle: FileHandle, chunk: ChunkIndex)? { pagesWaiting.isEmpty ? upload.nextChunk : nil }

  /// Removes and returns the next page or piece to send; nil if the peer asks for nothing.
  mutating func nextUpload() -> Upload? {
    if !pagesWaiting.isEmpty {
      let get = pagesWaiting.removeFirst()
      served[get.handle]?.pagesSent.insert(get.page)
      return .page(get.handle, PageIndex(get.page))
    }
    return upload.nextPiece().map { .piece($0) }
  }

  /// Puts back an upload that `nextUpload` returned and that was not sent. It is the next one again.
  mutating func putBack(_ next: Upload) {
    guard !isEnded, served[next.handle] != nil else { return }
    switch next {
    case .page(let handle, let page): pagesWaiting.insert(PageGet(handle: handle, page: page.rawValue), at: 0)
    case .piece(let piece): upload.putBack(piece)
    }
  }

  /// Refuses requests from now on. Promised leaves are still sent.
  public mutating func shutDown() { isShuttingDown = true }

  /// Withdraws a file that has changed: sends nothing more of it. False if it was not open.
  @discardableResult
  public mutating func withdraw(_ handle: FileHandle, _ reason: Withdrawn.Reason) -> Bool {
    guard !isEnded, served.removeValue(forKey: handle) != nil else { return false }
    upload.withdraw(handle)
    pagesWaiting.removeAll { $0.handle == handle }
    hints.remove(handle)
    send(.withdrawn(Withdrawn(handle: handle, reason: reason)))
    return true
  }
}

extension PageAnswer {
  /// Returns the length in bytes of the frame that answers a PAGE_GET.
  static func byteCount(of page: PageIndex, in pages: PageLayout) -> Int {
    let hashes = pages.chunks(of: page).count + pages.uncleCount(of: page)
    // length u32 | type u8 | handle u32 | page u32 | n u16 | m u8
    return 16 + hashes * Digest.byteCount
  }
}
