// What we ask of the peer, and what comes back. What the peer gets wrong here is its own fault, and is named as such.
import Content
import Posix
import Transfer
import Wire

/// A DATA frame whose bytes are on their way.
struct ArrivingPiece {
  /// Nil: the answer to a cancelled request, to be dropped without blame.
  let piece: FetchedPiece?
  var block: Block?
}

/// What to ask of a peer.
struct FetchRequest: Sendable {
  let id: RequestID
  let chunk: ChunkIndex
  let leaves: LeafRange
  /// What the chunk must hash to.
  let chunkHash: Digest
}

/// A block to be hashed, compared and written.
struct VerifyJob: Sendable {
  let connection: ConnectionID
  let piece: FetchedPiece
  let block: Block
}

extension PeerConnection {
  /// The handle of the one file that a download opens on each of its connections.
  static let handle = FileHandle(1)

  // MARK: Commands of the brain

  func open() {
    guard isEstablished, !isFinishing, let link else { return }
    let key = link.fileKey()
    let proof = key.openProof(handshakeHash, sender: role)
    send(.open(Open(handle: PeerConnection.handle, bucket: key.bucket, proof: proof)))
    isOpening = true
    flushAndSettle()
  }

  func fetchPage(_ page: UInt32) {
    // A peer that answers none is not asked for ever more; the brain's clock runs all the same.
    guard isEstablished, !isFinishing, pagesDue.count < ProtocolLimits.requestsInFlightMax else { return }
    send(.pageGet(PageGet(handle: PeerConnection.handle, page: page)))
    pagesDue.append(page)
    flushAndSettle()
  }

  func request(_ request: FetchRequest) {
    guard isEstablished, !isFinishing, fetch != nil, let offer else { return }
    fetch!.add(
      request.id, chunk: request.chunk, in: offer.layout, leaves: request.leaves, chunkHash: request.chunkHash,
      knownLeafHashes: nil)
    send(
      .request(
        ChunkRequest(
          id: request.id, handle: PeerConnection.handle, chunk: request.chunk, leaves: request.leaves,
          wantsLeafHashes: true)))
    flushAndSettle()
  }

  func cancel(_ id: RequestID) {
    guard isEstablished, !isFinishing, fetch != nil else { return }
    fetch!.cancel(id)
    send(.cancel(id))
    flushAndSettle()
  }

  private func flushAndSettle() {
    flush()
    if !isClosed { settle() }
  }

  // MARK: Answers of the peer

  func handle(_ opened: Opened) {
    guard let link, let id, opened.handle == PeerConnection.handle, isOpening else {
      return close(.violation("OPENED that was not asked for"))
    }
    isOpening = false
    switch opened.outcome {
    case .refused(let refusal): link.tell(.refused(id, refusal))
    case .opened(let file):
      let key = link.fileKey()
      let expected = key.haveProof(handshakeHash, sender: role.other)
      guard FileKey.matches(file.proof, due: expected) else {
        return close(.lied("it cannot prove that it knows the file"))
      }
      do throws(ManifestFault) {
        let manifest = try Manifest.verified(
          kind: file.kind, length: file.length, root: file.root, chunkSizeLog2: file.chunkSizeLog2,
          suggestedName: file.suggestedName, against: link.fileID)
        offer = manifest
        fetch = FetchQueue { MerkleTree.chunkHash($0, in: $1) }
        link.tell(.opened(id, manifest, isComplete: file.availability == .complete))
      } catch {
        close(.lied("its manifest is not the file's: \(error)"))
      }
    }
  }

  func handle(_ answer: PageAnswer) {
    guard let link, let id, answer.handle == PeerConnection.handle, let offer, pagesDue.first == answer.page else {
      return close(.violation("PAGE that was not asked for"))
    }
    pagesDue.removeFirst()
    let page = HashPage(index: PageIndex(answer.page), chunkHashes: answer.chunkHashes, uncles: answer.uncles)
    do throws(HashPageFault) {
      try page.verify(against: offer.root, in: PageLayout(offer.layout))
      link.tell(.page(id, page))
    } catch {
      close(.lied("page \(answer.page) of its hashes does not lead to the root"))
    }
  }

  func handle(_ busy: Busy) {
    guard let link, let id, fetch != nil else { return close(.violation("BUSY that was not asked for")) }
    do throws(PeerFault) {
      if try fetch!.busy(busy.id) {
        link.tell(.busy(id, busy.id, .milliseconds(Int64(busy.retryAfterMilliseconds))))
      }
    } catch {
      close(ConnectionEnd(error))
    }
  }

  func handle(_ withdrawn: Withdrawn) {
    guard let link, let id, withdrawn.handle == PeerConnection.handle, fetch != nil else {
      return close(.violation("WITHDRAWN of a file that is not open"))
    }
    fetch = nil
    link.tell(.withdrawn(id, withdrawn.reason))
  }

  /// HAVE, BITMAP, PEERS. Until downloads are shared while they run, nobody is partial and nobody is told of: allowed for
  /// the file that we opened, and without effect.
  func ignore(about handle: FileHandle) {
    if offer == nil || handle != PeerConnection.handle { close(.violation("news of a file that was never opened")) }
  }

  func handle(_ header: DataHeader) {
    guard link != nil, offer != nil else { return close(.violation("DATA that was not asked for")) }
    guard fetch != nil else {
      arriving = ArrivingPiece(piece: nil, block: nil)  // withdrawn, and on its way before
      return
    }
    do throws(PeerFault) {
      let piece = try fetch!.handle(
        header.id, firstLeaf: header.leaves.first, leafCount: header.leaves.count, isLast: header.isLast,
        leafHashes: header.leafHashes.isEmpty ? nil : header.leafHashes, byteCount: header.byteCount)
      arriving = ArrivingPiece(piece: piece, block: piece == nil ? nil : takeSpareBlock())
    } catch {
      close(ConnectionEnd(error))
    }
  }

  /// The last byte of a DATA frame is here.
  func pieceArrived() {
    guard let arrived = arriving, let piece = arrived.piece, let block = arrived.block, let id else {
      arriving = nil
      return
    }
    arriving = nil
    finishedJobs.append(VerifyJob(connection: id, piece: piece, block: block))
    if piece.isLastOfAnswer { link?.tell(.answerEnded(id, piece.request)) }
  }

  func handOverFinishedJobs() {
    guard let link, !finishedJobs.isEmpty else { return }
    link.verify(finishedJobs)
    finishedJobs = []
  }

  // MARK: Blocks

  /// Sees to it that a record can be opened whatever it holds: a spare block is at hand. False: all are in use, and the
  /// connection reads on when some are free.
  func haveBlock() -> Bool {
    guard let link, fetch != nil, spareBlock == nil else { return true }
    if let block = link.blocks.take() {
      spareBlock = block
      return true
    }
    handOverFinishedJobs()
    isStarving = true
    loop.enqueue(starving: self)
    return false
  }

  /// A record can start more than one frame; only the first finds the spare.
  private func takeSpareBlock() -> Block {
    defer { spareBlock = nil }
    return spareBlock ?? link!.blocks.takeBeyondLimit()
  }

  func releaseBlocks() {
    handOverFinishedJobs()
    for block in [arriving?.block, spareBlock] { if let block { link?.blocks.giveBack(block) } }
    (arriving, spareBlock) = (nil, nil)
  }
}

extension ConnectionEnd {
  init(_ fault: PeerFault) {
    switch fault {
    case .lie: self = .lied("its leaf hashes are not the chunk's")
    case .violation(let violation): self = .violation("\(violation)")
    }
  }
}
