// Bytes to the socket: frames are sealed as they are made, so that their order is the order of the nonces.
import Content
import Posix
import Storage
import Transfer
import Wire

extension PeerConnection {
  /// Seals a control message. It leaves with the next `flush`.
  func send(_ message: Message) {
    var frame: [UInt8] = []
    message.encode(into: &frame)
    seal(frame.span.bytes)
  }

  /// Seals bytes of the stream, in as few records of even size as they fit in.
  func seal(_ bytes: RawSpan) {
    if outbox.isEmpty { timers.queued(at: loop.now) }
    let records = (bytes.byteCount + Record.plaintextByteCountMax - 1) / Record.plaintextByteCountMax
    outbox.makeRoom(for: bytes.byteCount + records * Record.overhead)
    var start = 0
    for left in stride(from: records, to: 0, by: -1) {
      let count = (bytes.byteCount - start) / left
      let part = bytes.extracting(start..<start + count)
      outbox.fill { room in channel!.sealer.seal(plaintext: part, into: &room) }
      start += count
    }
  }

  /// Gives the system what it takes, then the hints for which there is room.
  func flush() {
    drainOutbox()
    guard !isClosed, sealHints() else { return }
    drainOutbox()
    // The others go when the outbox drains, or in the next turn.
    if !isClosed, outbox.isEmpty, driver?.session.hints.isEmpty == false { loop.enqueue(hinting: self) }
  }

  /// Hints wait, and all of the turn that could be merged with them has happened.
  func sendHints() {
    isQueuedToHint = false
    if !isFinishing { settle() }
  }

  /// Seals hints until there is no more room for them. True if there were any.
  @discardableResult func sealHints() -> Bool {
    guard driver?.session.hints.isEmpty == false, !isFinishing else { return false }
    var hasSealed = false
    while let hint = driver!.nextHint(outboxByteCount: outbox.count) {
      send(hint)
      hasSealed = true
    }
    return hasSealed
  }

  /// Where the other end has closed, what it said before is still to be read, and says more than the errno: the
  /// connection then ends when that has been read.
  private func drainOutbox() {
    if sendFailure != nil { outbox.drop(outbox.count) }
    if !outbox.isEmpty, timers.becomesSlow(at: loop.now) {
      // A CANCEL takes nothing back from the kernel, so the kernel may hold little.
      socket.limitUnsent(to: NodeLimits.slowUnsentBytesMax)
    }
    while !outbox.isEmpty, !isSocketFull {
      do throws(Errno) {
        let offered = outbox.count
        let count = try outbox.read(at: 0, count: offered, { bytes throws(Errno) in try socket.send(bytes) })
        if let count { took(count) }
        isSocketFull = count ?? 0 < offered
      } catch {
        if isFinishing { return close() }
        guard isEstablished, error.isClosedByPeer else { return close(end(after: error)) }
        sendFailure = error
        outbox.drop(outbox.count)
      }
    }
    guard outbox.isEmpty else { return }
    if !hasToSend || outbox.capacity > NodeLimits.idleOutboxBytesMax || loop.context.outboxes.isScarce {
      outbox.shrinkIfEmpty()
    }
  }

  /// The system took bytes from the outbox.
  private func took(_ count: Int) {
    outbox.drop(count)
    timers.sent(at: loop.now)
    driver?.left(count)
  }

  // MARK: Pieces of files

  /// Whether pages or pieces that the peer asked for are still to be sent.
  var hasToSend: Bool { driver?.session.hasUploads == true }

  /// Joins the loop's round of senders while there is something to send and room for it.
  func queueToSend() {
    guard isEstablished, !isFinishing, !isQueuedToSend, outbox.isEmpty else { return }
    let isFirst = noteWaiting()
    if hasToSend {
      isQueuedToSend = true
      loop.enqueue(sender: self, isFirst: isFirst)
    } else if isShuttingDown {
      close(.here(loop.farewell, ""))
    }
  }

  /// Bytes that `sendPiece` would send and that count against a limit; nil when there are none.
  var nextUploadBytes: Int? { driver?.session.nextUploadByteCount }

  /// Sends the next page, or reads, seals and sends the next piece: 64 KiB at most. Called in turn by the loop.
  func sendPiece() {
    isQueuedToSend = false
    guard !isClosed, !isFinishing else { return }
    sendNextUpload()
    settle()
  }

  /// Where a file is no longer what it was, another path with the same bytes takes its place, `pathsPerTurn` times at
  /// most: then the upload waits for the next turn. A path that failed serves no more, so this ends.
  private func sendNextUpload() {
    guard let next = driver!.nextUpload() else { return }
    for _ in 0..<PeerConnection.pathsPerTurn {
      guard let source = served[next.handle] else { preconditionFailure("an upload of a file that is not open") }
      do throws(StoredFileError) {
        switch next {
        case .page(let handle, let page): try send(page, of: handle, from: source)
        case .piece(let piece): try send(piece, from: source)
        }
        return
      } catch {
        // A shortage goes by: the peer may come again, which it would not for a file that was withdrawn.
        if case .busy(let errno) = error { return close(.here(.internalError, errno.reason)) }
        withdraw(next.handle, because: error)
      }
      guard !isClosed, !isFinishing, served[next.handle] != nil else { return }
    }
    driver!.putBack(next)
  }

  private func send(_ index: PageIndex, of handle: FileHandle, from source: ServedSource) throws(StoredFileError) {
    guard let page = try loop.files.page(index, of: source) else {
      return close(.violation("page \(index.rawValue), of which it was told nothing"))
    }
    send(.page(PageAnswer(page, of: handle)))
  }

  private func send(_ piece: UploadPiece, from source: ServedSource) throws(StoredFileError) {
    let hashes = piece.includesLeafHashes ? try loop.files.leafHashes(of: piece.chunk, in: source) : []
    let byteCount = try loop.files.read(piece, of: source)
    send(.data(piece.header(leafHashes: hashes, byteCount: byteCount)))
    loop.files.takePiece { seal($0) }
    loop.context.uploaded(byteCount)
    record?.sent(byteCount, of: piece.handle)
    if piece.isLastOfAnswer { loop.context.counters.answered() }
    sent(piece, byteCount: byteCount)
  }
}
