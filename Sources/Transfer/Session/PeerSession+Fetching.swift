// What we ask of the peer, and what comes back. What the peer gets wrong here is its own fault, and is named as such.
import Content
import Wire

extension PeerSession {
  /// Whether leaves' bytes may come that are wanted.
  public var isFetching: Bool { fetch != nil && !isEnded }

  // MARK: Commands of the download

  public mutating func open() {
    guard !isEnded, let key = target?.key else { return }
    let proof = key.openProof(handshakeHash, sender: role)
    send(.open(Open(handle: PeerSession.handle, bucket: key.bucket, proof: proof)))
    isOpening = true
  }

  public mutating func fetchPage(_ page: UInt32) {
    // A peer that answers none is not asked for ever more; the brain's clock runs all the same.
    guard !isEnded, target != nil, pagesDue.count < ProtocolLimits.requestsInFlightMax else { return }
    send(.pageGet(PageGet(handle: PeerSession.handle, page: page)))
    pagesDue.append(page)
  }

  public mutating func request(_ request: FetchRequest) {
    guard !isEnded, fetch != nil, let manifest else { return }
    fetch!.add(
      request.id, chunk: request.chunk, in: manifest.layout, leaves: request.leaves, chunkHash: request.chunkHash,
      knownLeafHashes: request.leafHashes)
    send(
      .request(
        ChunkRequest(
          id: request.id, handle: PeerSession.handle, chunk: request.chunk, leaves: request.leaves,
          wantsLeafHashes: request.leafHashes == nil)))
  }

  public mutating func cancel(_ id: RequestID) {
    guard !isEnded, fetch != nil else { return }
    fetch!.cancel(id)
    send(.cancel(id))
  }

  /// The download is over: nothing more is asked for, and what is on its way is dropped.
  public mutating func stopFetching() {
    guard !isEnded, fetch != nil else { return }
    for id in fetch!.cancelAll() { send(.cancel(id)) }
    arriving = nil
  }

  // MARK: Answers of the peer

  mutating func handle(_ opened: Opened) {
    guard let target, opened.handle == PeerSession.handle, isOpening else {
      return close(.violation("OPENED that was not asked for"))
    }
    isOpening = false
    switch opened.outcome {
    case .refused(let refusal): act(.tell(.refused(refusal)))
    case .opened(let file):
      guard FileKey.matches(file.proof, due: target.key.haveProof(handshakeHash, sender: role.other)) else {
        return close(.lied("it cannot prove that it knows the file"))
      }
      do throws(ManifestFault) {
        let manifest = try Manifest.verified(
          kind: file.kind, length: file.length, root: file.root, chunkSizeLog2: file.chunkSizeLog2,
          suggestedName: file.suggestedName, against: target.fileID, chunkSize: target.chunkSize,
          leafSize: target.leafSize)
        self.manifest = manifest
        bitmapsEnd = 0
        newsLeft = manifest.layout.chunkCount * PeerSession.newsPerChunk + PeerSession.newsMin
        fetch = FetchQueue { MerkleTree.chunkHash($0, in: $1) }
        act(.tell(.opened(manifest, isComplete: file.availability == .complete)))
      } catch {
        close(.lied("its manifest is not the file's: \(error)"))
      }
    }
  }

  mutating func handle(_ answer: PageAnswer) {
    guard let target, answer.handle == PeerSession.handle, let manifest, pagesDue.first == answer.page else {
      return close(.violation("PAGE that was not asked for"))
    }
    pagesDue.removeFirst()
    let page = HashPage(index: PageIndex(answer.page), chunkHashes: answer.chunkHashes, uncles: answer.uncles)
    do throws(HashPageFault) {
      try page.verify(
        against: manifest.root, in: PageLayout(manifest.layout, chunksPerPage: target.chunksPerPage))
      act(.tell(.page(page)))
    } catch {
      close(.lied("page \(answer.page) of its hashes does not lead to the root"))
    }
  }

  mutating func handle(_ busy: Busy) {
    guard fetch != nil else { return close(.violation("BUSY that was not asked for")) }
    do throws(PeerFault) {
      if try fetch!.busy(busy.id) {
        act(.tell(.busy(busy.id, retryAfter: .milliseconds(Int64(busy.retryAfterMilliseconds)))))
      }
    } catch {
      close(SessionEnd(error))
    }
  }

  mutating func handle(_ withdrawn: Withdrawn) {
    guard withdrawn.handle == PeerSession.handle, fetch != nil else {
      return close(.violation("WITHDRAWN of a file that is not open"))
    }
    fetch = nil
    act(.tell(.withdrawn(withdrawn.reason)))
  }

  /// News of the file that we opened; without effect once it was withdrawn.
  /// - `cost`: entries. A peer that sends more entries than a swarm can have is ignored from then on.
  mutating func tell(_ news: PeerNews, about handle: FileHandle, cost: Int = 1) {
    guard manifest != nil, handle == PeerSession.handle else {
      return close(.violation("news of a file that was never opened"))
    }
    newsLeft = max(newsLeft - max(cost, 1), 0)
    if fetch != nil, newsLeft > 0 { act(.tell(news)) }
  }

  /// Each chunk is told of once: what comes later is told by HAVE. So bitmaps cost no more than the file is long.
  mutating func handle(_ bitmap: Bitmap) {
    let first = Int(bitmap.firstChunk.rawValue)
    guard manifest == nil || first >= bitmapsEnd else {
      return close(.violation("a BITMAP of chunks that it told of before"))
    }
    bitmapsEnd = first + bitmap.count
    tell(.bitmap(bitmap), about: bitmap.handle)
  }

  mutating func handle(_ header: DataHeader) {
    guard manifest != nil else { return close(.violation("DATA that was not asked for")) }
    guard fetch != nil else { return act(.expectPayload(isWanted: false)) }  // withdrawn, and on its way before
    do throws(PeerFault) {
      arriving = try fetch!.handle(
        header.id, firstLeaf: header.leaves.first, leafCount: header.leaves.count, isLast: header.isLast,
        leafHashes: header.leafHashes.isEmpty ? nil : header.leafHashes, byteCount: header.byteCount)
      act(.expectPayload(isWanted: arriving != nil))
      if let arriving, arriving.isFirstOfAnswer { act(.tell(.answerBegan(arriving.request))) }
    } catch {
      close(SessionEnd(error))
    }
  }

  /// The last byte of a DATA frame is here.
  mutating func payloadEnded() {
    guard !isEnded, let piece = arriving else { return }
    arriving = nil
    act(.verify(piece))
    if piece.isLastOfAnswer { act(.tell(.answerEnded(piece.request))) }
  }
}
