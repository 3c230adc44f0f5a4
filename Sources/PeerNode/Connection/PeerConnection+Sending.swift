// The sending side of a connection. Frames are sealed as they are made, so that their order is the order of the nonces.
import Content
import Posix
import Storage
import Transfer
import Wire

extension PeerConnection {
  /// How many paths with equal bytes are tried for one upload in one turn. Each costs a disk access.
  private static let pathsPerTurn = 16

  /// Seals a control message. It leaves with the next `flush`.
  func send(_ message: Message, to peer: EstablishedPeer) {
    var frame: [UInt8] = []
    message.encode(into: &frame)
    seal(frame.span.bytes, for: peer)
  }

  private func seal(_ bytes: RawSpan, for peer: EstablishedPeer) {
    if outbound.bytes.isEmpty { timers.queued(at: loop.now) }
    outbound.seal(bytes, with: &peer.channel.sealer)
  }

  /// Sends as many bytes as the kernel takes, then seals the hints for which there is room.
  func flush() {
    drainOutbox()
    guard !isClosed, sealHints() else { return }
    drainOutbox()
    // The remaining hints go when the outbox drains, or in the next turn.
    if outbound.bytes.isEmpty, peer?.hasHints == true { loop.enqueue(hinting: self) }
  }

  /// Sends waiting hints at the end of the turn, when no event of it can be merged with them any more.
  func sendHints() {
    marks.isQueuedToHint = false
    if !isFinishing { settle() }
  }

  /// Seals hints as long as there is room. Returns true if it sealed any.
  @discardableResult func sealHints() -> Bool {
    guard let peer, peer.hasHints else { return false }
    var hasSealed = false
    while let hint = peer.driver.nextHint(outboxByteCount: outbound.bytes.count) {
      send(hint, to: peer)
      hasSealed = true
    }
    return hasSealed
  }

  /// Sends bytes of the outbox until the kernel takes no more. If the other end has closed, the connection ends only
  /// when the bytes received before are read: a GOODBYE in them says more than the errno.
  private func drainOutbox() {
    if outbound.failure != nil { outbound.bytes.drop(outbound.bytes.count) }
    if !outbound.bytes.isEmpty, timers.becomesSlow(at: loop.now) {
      // A CANCEL cannot take bytes back from the kernel, so the kernel should hold few.
      socket.limitUnsent(to: NodeLimits.slowUnsentBytesMax)
    }
    while !outbound.bytes.isEmpty, !outbound.isSocketFull {
      do throws(Errno) {
        let offered = outbound.bytes.count
        let count = try outbound.bytes.read(at: 0, count: offered) { bytes throws(Errno) in try socket.send(bytes) }
        if let count { took(count) }
        outbound.isSocketFull = count ?? 0 < offered
      } catch {
        if isFinishing { return close() }
        guard isEstablished, error.isClosedByPeer else { return close(end(after: error)) }
        outbound.failure = error
        outbound.bytes.drop(outbound.bytes.count)
      }
    }
    guard outbound.bytes.isEmpty else { return }
    if !hasToSend || outbound.bytes.capacity > NodeLimits.idleOutboxBytesMax || loop.context.outboxes.isScarce {
      outbound.bytes.shrinkIfEmpty()
    }
  }

  /// Notes that the kernel took bytes from the outbox.
  private func took(_ count: Int) {
    outbound.bytes.drop(count)
    timers.sent(at: loop.now)
    peer?.driver.left(count)
  }

  // MARK: Pieces of files

  /// Whether this node still has to send pages or pieces that the peer requested.
  var hasToSend: Bool { peer?.isOwedUploads == true }

  /// Joins the loop's senders if there is something to send and the outbox is empty.
  func queueToSend(_ peer: EstablishedPeer) {
    guard !marks.isQueuedToSend, outbound.bytes.isEmpty else { return }
    let isFirst = noteWaiting(peer)
    if peer.isOwedUploads {
      marks.isQueuedToSend = true
      loop.enqueue(sender: self, isFirst: isFirst)
    } else if peer.isShuttingDown {
      close(.local(loop.farewell, ""))
    }
  }

  /// Notes that the peer has used up its upload limit. Its waiting piece must not delay pieces for other peers.
  func isHeld() {
    guard let peer, let fileID = peer.waitsFor else { return }
    loop.context.swarms.rests(fileID, token)
    peer.waitsFor = nil
  }

  /// Notes that the peer's upload limit allows more.
  func isReleased() {
    marks.isQueuedToSend = false
    if let peer { queueToSend(peer) }
  }

  /// The bytes of the next piece, which count against the upload limits; nil: there is none.
  var nextUploadBytes: Int? { peer?.driver.session.nextUploadByteCount }

  /// Sends the next page, or reads, seals and sends the next piece, 64 KiB at most. The loop calls it in turn.
  func sendPiece() {
    marks.isQueuedToSend = false
    guard let peer else { return }
    sendNextUpload(to: peer)
    settle()
  }

  /// Sends the next page or piece. If a file has changed, another path with the same bytes takes its place. After
  /// `pathsPerTurn` paths the upload waits for the next turn. This ends, since a path that failed is not served again.
  private func sendNextUpload(to peer: EstablishedPeer) {
    guard let next = peer.driver.nextUpload() else { return }
    for _ in 0..<PeerConnection.pathsPerTurn {
      guard let source = peer.served[next.handle] else { preconditionFailure("an upload of a file that is not open") }
      do throws(StoredFileError) {
        switch next {
        case .page(let handle, let page): try send(page, of: handle, from: source, to: peer)
        case .piece(let piece): try send(piece, from: source, to: peer)
        }
        return
      } catch {
        // A shortage passes, so the peer may connect again. For a withdrawn file it would not.
        if case .busy(let errno) = error { return close(.local(.internalError, errno.reason)) }
        withdraw(next.handle, of: peer, because: error)
      }
      guard isEstablished, peer.served[next.handle] != nil else { return }
    }
    peer.driver.putBack(next)
  }

  private func send(
    _ index: PageIndex, of handle: FileHandle, from source: ServedSource, to peer: EstablishedPeer
  ) throws(StoredFileError) {
    guard let page = try loop.files.page(index, of: source) else {
      return close(.violation("page \(index.rawValue), of which it was told nothing"))
    }
    send(.page(PageAnswer(page, of: handle)), to: peer)
  }

  private func send(
    _ piece: UploadPiece, from source: ServedSource, to peer: EstablishedPeer
  ) throws(StoredFileError) {
    let hashes = piece.includesLeafHashes ? try loop.files.leafHashes(of: piece.chunk, in: source) : []
    let byteCount = try loop.files.read(piece, of: source)
    send(.data(piece.header(leafHashes: hashes, byteCount: byteCount)), to: peer)
    loop.files.takePiece { seal($0, for: peer) }
    loop.context.uploaded(byteCount, to: peer.zone)
    if case .download(let share) = source { share.link.uploaded(byteCount) }
    record?.sent(byteCount, of: piece.handle)
    if piece.isLastOfAnswer { loop.context.counters.answered() }
    sent(piece, byteCount: byteCount, to: peer)
  }
}
