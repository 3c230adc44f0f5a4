// Bytes to the socket: frames are sealed as they are made, so that their order is the order of the nonces.
import Content
import Posix
import Storage
import Transfer
import Wire

extension PeerConnection {
  /// Paths of equal bytes that are tried for one upload in one turn: each costs a look at the disk.
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

  /// Gives the system as many bytes as it takes, then seals the hints for which there is room.
  func flush() {
    drainOutbox()
    guard !isClosed, sealHints() else { return }
    drainOutbox()
    // The others go when the outbox drains, or in the next turn.
    if outbound.bytes.isEmpty, peer?.hasHints == true { loop.enqueue(hinting: self) }
  }

  /// Hints wait, and all of the turn that could be merged with them has happened.
  func sendHints() {
    marks.isQueuedToHint = false
    if !isFinishing { settle() }
  }

  /// Seals hints until there is no more room for them. True if there were any.
  @discardableResult func sealHints() -> Bool {
    guard let peer, peer.hasHints else { return false }
    var hasSealed = false
    while let hint = peer.driver.nextHint(outboxByteCount: outbound.bytes.count) {
      send(hint, to: peer)
      hasSealed = true
    }
    return hasSealed
  }

  /// If the other end has closed, the connection ends when the bytes that came before are read: they say more than the
  /// errno.
  private func drainOutbox() {
    if outbound.failure != nil { outbound.bytes.drop(outbound.bytes.count) }
    if !outbound.bytes.isEmpty, timers.becomesSlow(at: loop.now) {
      // A CANCEL takes nothing back from the kernel, so the kernel may hold little.
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

  /// The system took bytes from the outbox.
  private func took(_ count: Int) {
    outbound.bytes.drop(count)
    timers.sent(at: loop.now)
    peer?.driver.left(count)
  }

  // MARK: Pieces of files

  /// Whether this node still has to send pages or pieces that the peer asked for.
  var hasToSend: Bool { peer?.isOwedUploads == true }

  /// Joins the loop's round of senders while there is something to send and room for it.
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

  /// The peer got as much as its limit allows. Its next piece keeps back no piece for others.
  func isHeld() {
    guard let peer, let fileID = peer.waitsFor else { return }
    loop.context.swarms.rests(fileID, token)
    peer.waitsFor = nil
  }

  /// The peer may get more.
  func isReleased() {
    marks.isQueuedToSend = false
    if let peer { queueToSend(peer) }
  }

  /// Bytes that `sendPiece` would send and that count against a limit; nil when there are none.
  var nextUploadBytes: Int? { peer?.driver.session.nextUploadByteCount }

  /// Sends the next page, or reads, seals and sends the next piece: 64 KiB at most. Called in turn by the loop.
  func sendPiece() {
    marks.isQueuedToSend = false
    guard let peer else { return }
    sendNextUpload(to: peer)
    settle()
  }

  /// If a file has changed, another path with the same bytes takes its place, `pathsPerTurn` times at most: then the
  /// upload waits for the next turn. A path that failed serves no more, so this ends.
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
        // A shortage ends, so the peer may come again. It does not come again for a file that was withdrawn.
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
