// What arrives at a node of a crowd: frames for its sessions, news for its download, leaves for its copy of the file.
import Content
import Transfer
import Wire

extension CrowdNode {
  func receive(_ packet: Packet, on end: CrowdEnd) {
    guard isUp, end.isOpen else { return }
    var offset = 0
    do throws(WireError) {
      guard let message = try end.decoder.next(packet.frame.span.bytes, at: &offset) else {
        return world.violate("a frame is cut short")
      }
      world.mix(UInt64(number) << 32 | UInt64(message.type.rawValue))
      if end.decoder.payloadBytesDue > 0 { end.decoder.tookPayload(packet.payload.count) }
      end.driver.receive(message, at: world.time)
      perform(on: end)
      guard case .data(let header) = message, end.isOpen else { return }
      if header.isLast { answered(header.id, on: end) }
      end.driver.payloadEnded()
      perform(on: end, packet.payload)
    } catch {
      world.violate("a frame is none: \(error)")
    }
  }

  func perform(on end: CrowdEnd, _ payload: [UInt8] = []) {
    while end.isOpen, let action = end.driver.nextAction() {
      switch action {
      case .send(let message):
        send(message, on: end)
        end.driver.queued(message, outboxByteCount: 0)
      case .tell(let news): hear(news, on: end)
      case .lookUp(let open): look(open, on: end)
      case .admit(let request): admit(request, on: end)
      case .promise(_, let chunk): promise(chunk, to: end)
      case .settle(_, let chunk): settle(chunk, of: end)
      case .expectPayload: break
      case .verify(let piece): verify(piece, payload, on: end)
      case .close(.there(let code, _)): lost(end, .goodbye(code.rawValue))
      case .close(let reason): world.violate("\(end.peer.number) is honest, but \(number) says \(reason)")
      }
    }
    while end.isOpen, let hint = end.driver.nextHint(outboxByteCount: 0) { send(hint, on: end) }
    queue(end)
  }

  private func hear(_ news: PeerNews, on end: CrowdEnd) {
    switch news {
    case .opened(_, let isComplete): end.peerIsComplete = isComplete
    case .busy(let request, _): answered(request, on: end)
    default: break
    }
    tell(DownloadEvent(news, from: end.id))
    guard case .page = news, !isPageKnown else { return }
    isPageKnown = true
    for end in ends {
      end.driver.session.lookUpAgain()
      perform(on: end)
    }
  }

  private func verify(_ piece: FetchedPiece, _ payload: [UInt8], on end: CrowdEnd) {
    guard piece.isMatched(by: payload.span.bytes, leafSize: file.layout.leafSize) else {
      return world.violate("honest \(end.peer.number) is taken for a liar")
    }
    let start = Int(piece.fileOffset)
    bytes.replaceSubrange(start..<start + payload.count, with: payload)
    let chunk = Int(piece.chunk.rawValue)
    let before = masks[chunk]
    masks[chunk] |= piece.leaves.mask
    if masks[chunk] != before {
      let isWhole = masks[chunk] == file.layout.leaves(of: piece.chunk).mask
      if isWhole { wholeCount += 1 }
      gained(piece.leaves, of: piece.chunk, isWhole: isWhole)
    }
    tell(.leavesVerified(end.id, piece.request, piece.chunk, piece.leaves))
  }
}
