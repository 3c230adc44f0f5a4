// The receiving side of a connection: the handshake, then records and their frames. File bytes go into a block.
import Content
import Posix
import Transfer
import Wire

extension PeerConnection {
  /// Reads received bytes, in a few system calls at most, so that one busy peer does not delay the others.
  func receive() {
    for _ in 0..<4 {
      guard !isClosed, !marks.isStarving, !marks.isQueuedToRead, !outbound.isOverfull else { return }
      inbound.bytes.makeRoom(
        for: 1, least: fetches.isEmpty && role == .listener ? Inbound.controlByteCount : Inbound.fetchByteCount)
      let room = inbound.bytes.room
      var received: Int?
      do throws(Errno) {
        try inbound.bytes.fill { bytes throws(Errno) in
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

  /// Continues in a new turn with the frames that the last turn left.
  func readOn() {
    marks.isQueuedToRead = false
    guard !isClosed else { return }
    marks.framesLeft = NodeLimits.framesPerTurn
    if !marks.isStarving { process() }
    settle()
  }

  private func endOfStream() {
    switch phase {
    case .connecting(let handshake), .handshaking(let handshake):
      close(.handshake(handshake.receiveEnd() ?? .closedByPeer))
    case .established: close(outbound.failure.map { .broken($0) } ?? .truncated)
    case .finishing, .lingering, .closed: close()
    }
  }

  /// Returns the end for an error of the socket. A reset during the handshake counts as a close: the other end closed
  /// with unread bytes.
  func end(after error: Errno) -> ConnectionEnd {
    guard case .handshaking(let handshake) = phase, error.isClosedByPeer else { return .broken(error) }
    return .handshake(handshake.receiveEnd() ?? .closedByPeer)
  }

  /// Frees the empty buffer, since an idle connection needs none.
  private func releaseInbox() { inbound.bytes.shrinkIfEmpty() }

  /// Handles received bytes as far as possible. Handling a frame can call `settle`, which calls this function again;
  /// the nested call does nothing.
  func process() {
    guard !inbound.isBeingRead else { return }
    inbound.isBeingRead = true
    while processNext() {}
    inbound.isBeingRead = false
    returnSpareBlock()
    if isFinishing { return }
    timers.read(isMidFrame: inbound.isMidFrame, completedFrames: inbound.decoder.completedFrames, at: loop.now)
  }

  /// Handles the next item. Returns false if it needs more bytes, must pause, or has ended.
  private func processNext() -> Bool {
    switch phase {
    case .handshaking(let handshake): return shakeHands(handshake)
    case .established(let peer): return readNext(from: peer)
    case .finishing, .lingering:  // closing with unread bytes could keep GOODBYE from arriving
      inbound.dropAll()
      return false
    case .connecting, .closed: return false
    }
  }

  // MARK: Handshake

  private func shakeHands(_ handshake: PendingHandshake) -> Bool {
    do throws(HandshakeError) {
      let consumed = try inbound.bytes.read(at: 0, count: inbound.bytes.count) { bytes throws(HandshakeError) in
        try handshake.receive(bytes)
      }
      inbound.bytes.drop(consumed)
    } catch {
      sendBytes(of: handshake)  // the answer of a public listener
      close(.handshake(error))
      return isFinishing
    }
    sendBytes(of: handshake)
    guard case .handshaking = phase, handshake.isComplete else { return false }
    establish(handshake.finish())
    return true
  }

  func sendBytes(of handshake: PendingHandshake) {
    let bytes = handshake.takeOutbound()
    guard !bytes.isEmpty else { return }
    noteProgress()
    if outbound.bytes.isEmpty { timers.queued(at: loop.now) }
    outbound.bytes.append(bytes)
    flush()
  }

  private func establish(_ channel: consuming EstablishedChannel) {
    let meansSeveral = loop.context.meansSeveral(channel.remotePayload)
    let peer = EstablishedPeer(
      channel, dialled: role == .dialer ? address.port : nil, meansSeveral: meansSeveral, at: loop.now)
    phase = .established(peer)
    timers.established()
    if role == .dialer {
      reportToControl(.established(peer.id, requestsMax: peer.requestsMax, zone: peer.zone))
    } else {
      loop.context.report(.connected(peer.id, address))
      if loop.context.isAllowed(peer.id) { admit(peer) } else { close(.local(.notAllowed, "")) }
    }
  }

  /// Ends the connection if its peer is no longer allowed.
  func checkAllowed() {
    guard role == .listener, let peer, !loop.context.isAllowed(peer.id) else { return }
    close(.local(.notAllowed, ""))
  }

  // MARK: Records and frames

  private func readNext(from peer: EstablishedPeer) -> Bool {
    if marks.framesLeft <= 0 {
      queueToRead()
      return false
    }
    if inbound.hasPlaintext {
      decodeNext(for: peer)
      return true
    }
    guard !outbound.isOverfull else { return false }
    switch inbound.head() {
    case .incomplete: return false
    case .malformed(let header): breakOff("a record of \(header) bytes")
    case .complete(let length):
      guard haveBlock(for: peer) else { return false }
      do throws(RecordError) {
        try inbound.open(length, with: &peer.channel.opener)
      } catch {
        breakOff("a record that does not open")
      }
    }
    return true
  }

  /// Queues the connection for the next turn, since this turn is used up and frames are left.
  private func queueToRead() {
    guard !inbound.bytes.isEmpty, !marks.isQueuedToRead else { return }
    marks.isQueuedToRead = true
    loop.enqueue(reading: self)
  }

  /// The record layer failed: the connection closes without a GOODBYE, since the sender of the record is unknown.
  private func breakOff(_ what: String) {
    inbound.dropAll()
    report(.violation(what))
    close()
  }

  private func decodeNext(for peer: EstablishedPeer) {
    do throws(WireError) {
      let (item, frameCount) = try inbound.decode(framesMax: marks.framesLeft)
      marks.framesLeft -= frameCount
      switch item {
      case .message(let message):
        peer.driver.receive(message, at: loop.now)
        performSession()
      case .payloadEnded: pieceArrived(from: peer)
      case .nothing: break
      }
    } catch {
      close(.violation("\(error)"))
    }
  }
}
