// Bytes from the socket: the handshake, then records, then frames. File bytes are opened straight into their block.
import Content
import Posix
import Transfer
import Wire

extension PeerConnection {
  /// Reads what there is, in a few system calls at most, so that one busy peer does not hold up the others.
  func receive() {
    for _ in 0..<4 {
      guard !isClosed, !isStarving, !isQueuedToRead, outbox.count <= PeerConnection.outboxBytesMax else { return }
      inbox.makeRoom(for: 1, least: link == nil ? PeerConnection.controlInboxBytes : PeerConnection.fetchInboxBytes)
      let room = inbox.room
      var received: Int?
      do throws(Errno) {
        try inbox.fill { bytes throws(Errno) in
          received = try socket.receive(into: &bytes)
          return received ?? 0
        }
      } catch {
        return isFinishing ? close() : close(end(after: error))
      }
      guard let received else { return releaseInbox() }
      if received == 0 { return endOfStream() }
      timers.received(received, at: loop.now)
      process()
      if received < room { return releaseInbox() }
    }
  }

  /// A new turn: goes on with the frames that were left in the one before.
  func readOn() {
    isQueuedToRead = false
    guard !isClosed else { return }
    framesLeft = NodeLimits.framesPerTurn
    if !isStarving { process() }
    settle()
  }

  private func endOfStream() {
    if isFinishing { return close() }
    if isEstablished { return close(sendFailure.map { .broken($0) } ?? .truncated) }
    close(.handshake(handshake?.receiveEnd() ?? .closedByPeer))
  }

  /// A reset during the handshake says what a close says: the other end closed with bytes unread.
  func end(after error: Errno) -> ConnectionEnd {
    guard !isEstablished, !isConnecting, error.isClosedByPeer else { return .broken(error) }
    return .handshake(handshake?.receiveEnd() ?? .closedByPeer)
  }

  /// An idle connection holds no buffer.
  private func releaseInbox() { inbox.shrinkIfEmpty() }

  /// Works through the inbox as far as it goes. A frame in it can end the connection, which settles it: that comes back
  /// here while the inbox is being read.
  func process() {
    guard !isProcessing else { return }
    isProcessing = true
    defer { isProcessing = false }
    while !isClosed {
      if isFinishing {  // what still comes is of no interest, but must be taken for GOODBYE to arrive
        inbox.drop(inbox.count)
        openedBytes = 0
        return
      }
      if handshake != nil {
        guard shakeHands() else { break }
        continue
      }
      if framesLeft <= 0 {
        queueToRead()
        break
      }
      if openedBytes > 0 {
        decodeOpened()
        continue
      }
      guard inbox.count >= Record.headerByteCount, outbox.count <= PeerConnection.outboxBytesMax else { break }
      let header = UInt16(inbox[0]) << 8 | UInt16(inbox[1])
      guard let length = RecordOpener.length(ofHeader: header) else { return breakOff("a record of \(header) bytes") }
      let missing = Record.headerByteCount + length - inbox.count
      guard missing <= 0 else {
        inbox.makeRoom(for: missing)
        break
      }
      guard haveBlock() else { break }
      guard openRecord(length) else { return breakOff("a record that does not open") }
    }
    timers.read(
      isMidFrame: !inbox.isEmpty || decoder.isMidFrame, completedFrames: decoder.completedFrames, at: loop.now)
  }

  /// Its turn is over, and there are frames left.
  private func queueToRead() {
    guard inbox.count > 0, !isQueuedToRead else { return }
    isQueuedToRead = true
    loop.enqueue(reading: self)
  }

  /// The record layer failed: nobody is told anything, since who sent this is not known.
  private func breakOff(_ what: String) {
    inbox.drop(inbox.count)
    report(.violation(what))
    close()
  }

  // MARK: Handshake

  /// False: more bytes are needed, or it is over.
  private func shakeHands() -> Bool {
    let before = inbox.count
    do throws(HandshakeError) {
      let consumed = try inbox.read(at: 0, count: before) { bytes throws(HandshakeError) in
        try handshake!.receive(bytes)
      }
      inbox.drop(consumed)
    } catch {
      sendHandshakeBytes()  // a public listener's answer
      close(.handshake(error))
      return false
    }
    sendHandshakeBytes()
    guard !isClosed else { return false }
    guard isHandshakeComplete else { return false }
    let established = handshake.take()!.finish()
    driver = SessionDriver(handshakeHash: established.handshakeHash, role: role, target: link?.fetchTarget)
    peerID = established.remote
    timers.established()
    listenPort = role == .dialer ? address.port : established.remotePayload.listenPort
    if let count = established.remotePayload.requestsInFlightMax { requestsMax = Int(count) }
    standing.meansSeveral = loop.context.meansSeveral(established.remotePayload)
    channel = consume established
    introduce()
    return !isClosed
  }

  func sendHandshakeBytes() {
    guard handshake != nil else { return }
    let bytes = handshake!.takeOutbound()
    guard !bytes.isEmpty else { return }
    noteProgress()
    if outbox.isEmpty { timers.queued(at: loop.now) }
    outbox.append(bytes)
    flush()
  }

  private var isHandshakeComplete: Bool {
    switch handshake {
    case .some(let handshake): handshake.isComplete
    case .none: false
    }
  }

  private func introduce() {
    if let link, let id, let peerID {
      link.tell(.connected(id, peerID, requestsMax: requestsMax))
    } else if let peerID {
      loop.context.report(.connected(peerID, address))
      if loop.context.isAllowed(peerID) { admit(as: peerID) } else { close(.here(.notAllowed, "")) }
    }
  }

  /// Ends it where whoever came in is not, or no longer, among those that are allowed.
  func checkAllowed() {
    guard role == .listener, isEstablished, let peerID, !loop.context.isAllowed(peerID) else { return }
    close(.here(.notAllowed, ""))
  }

  // MARK: Records and frames

  /// Opens the record at the inbox's head: straight into the block if it is nothing but leaves' bytes, else in place.
  private func openRecord(_ length: Int) -> Bool {
    let plain = length - Record.tagByteCount
    do throws(RecordError) {
      if let block = arriving, decoder.payloadBytesDue >= plain {
        try inbox.read(at: Record.headerByteCount, count: length) { ciphertext throws(RecordError) in
          try block.fill(plain) { bytes throws(RecordError) in
            _ = try channel!.opener.open(ciphertext: ciphertext, into: &bytes)
          }
        }
        inbox.drop(Record.headerByteCount + length)
        decoder.tookPayload(plain)
        if decoder.payloadBytesDue == 0 { pieceArrived() }
      } else {
        try inbox.edit(at: Record.headerByteCount, count: length) { bytes throws(RecordError) in
          _ = try channel!.opener.open(inPlace: &bytes)
        }
        inbox.drop(Record.headerByteCount)
        openedBytes = plain
      }
    } catch {
      return false
    }
    return true
  }

  /// Goes through the plaintext at the inbox's head, as far as this turn goes.
  private func decodeOpened() {
    let consumed = inbox.read(at: 0, count: openedBytes) { decode($0) }
    inbox.drop(consumed)
    openedBytes -= consumed
    if openedBytes == 0 { inbox.drop(Record.tagByteCount) }
  }

  /// Returns how many bytes it went through: all, unless it is over or `framesLeft` is used up.
  private func decode(_ bytes: RawSpan) -> Int {
    var offset = 0
    while !isClosed && !isFinishing && framesLeft > 0 {
      if decoder.payloadBytesDue > 0 {
        let count = min(decoder.payloadBytesDue, bytes.byteCount - offset)
        guard count > 0 else { break }
        arriving?.append(bytes.extracting(offset..<offset + count))
        offset += count
        decoder.tookPayload(count)
        if decoder.payloadBytesDue == 0 { pieceArrived() }
        continue
      }
      do throws(WireError) {
        let before = decoder.completedFrames
        let message = try decoder.next(bytes, at: &offset, skippingAtMost: framesLeft)
        framesLeft -= max(decoder.completedFrames - before, message == nil ? 0 : 1)
        if let message {
          handle(message)
        } else if offset == bytes.byteCount, decoder.payloadBytesDue == 0 {
          break
        }
      } catch {
        close(.violation("\(error)"))
      }
    }
    return offset
  }
}
