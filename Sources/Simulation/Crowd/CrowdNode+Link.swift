// The link of a node of a crowd: a piece at a time, each connection in its turn, as the node's loop sends.
import Content
import Transfer
import Wire

extension CrowdNode {
  func send(_ message: Message, _ payload: [UInt8] = [], on end: CrowdEnd) {
    guard let other = end.other else { return }
    world.note("\(number) to \(other.node.number): \(message)")
    let packet = Connection.packet(message, payload)
    let cost = packet.frame.count + payload.count * crowd.plan.linkBytesPerByte
    let plan = crowd.plan
    let begin = max(uploadFreeAt, world.time)
    uploadFreeAt = begin + .nanoseconds(Int64(Double(cost) / plan.upload * 1e9))
    // What arrives while the other's link is taken waits there; a short message goes between.
    let receiver = other.node
    receiver.downloadFreeAt =
      max(receiver.downloadFreeAt, begin + plan.delay) + .nanoseconds(Int64(Double(cost) / plan.download * 1e9))
    var due = max(uploadFreeAt + plan.delay, end.lastDue)
    if !payload.isEmpty {
      due = max(due, receiver.downloadFreeAt)
      end.bytesUnderWay += cost
      bytesUploaded += payload.count
    }
    end.lastDue = due
    world.at(due) { [self] in
      if !payload.isEmpty {
        end.bytesUnderWay -= cost
        queue(end)
      }
      receiver.receive(packet, on: other)
    }
  }

  /// A socket takes so much before it is full: the next piece waits until some of it has arrived.
  private static let bytesUnderWayMax = 128 << 10

  /// Joins the round of senders while there is something to send and room for it.
  func queue(_ end: CrowdEnd) {
    guard end.isOpen, !end.isQueued, end.bytesUnderWay < CrowdNode.bytesUnderWayMax else { return }
    let isFirst = noteWaiting(end)
    guard end.driver.session.hasUploads else { return }
    end.isQueued = true
    turns.enqueue(end.id.rawValue, of: end.peer.group, isFirst: isFirst)
    pump()
  }

  /// Sends a piece of each in turn, whenever the link is free: what is cancelled before is not sent.
  private func pump() {
    guard !isPumping, !turns.isEmpty else { return }
    isPumping = true
    world.at(uploadFreeAt) { [self] in
      isPumping = false
      guard isUp, let next = turns.next(sent: shares.bytes(sentTo:)), let end = end(ConnectionID(next)) else { return }
      end.isQueued = false
      sendNext(on: end)
      queue(end)
      pump()
    }
  }

  private func sendNext(on end: CrowdEnd) {
    switch end.driver.nextUpload() {
    case .page(let handle, let index)?:
      let page = file.tree.page(index)!
      send(.page(PageAnswer(page, of: handle)), on: end)
    case .piece(let piece)?:
      if !held.offers(piece.leaves, of: piece.chunk) { return world.violate("\(number) sends what it has not") }
      let start = Int(file.layout.offset(ofLeaf: piece.leaves.first, in: piece.chunk))
      let part = Array(bytes[start..<start + file.layout.length(of: piece.leaves, in: piece.chunk)])
      if isSeed { crowd.spread(piece) }
      let hashes = piece.includesLeafHashes ? file.leafHashes[Int(piece.chunk.rawValue)] : []
      send(.data(piece.header(leafHashes: hashes, byteCount: part.count)), part, on: end)
      swarm.sent(piece.leaves.count, of: piece.chunk, to: end.id.rawValue)
      shares.sent(part.count, to: end.peer.group, at: world.time)
      if end.driver.sent(piece, byteCount: part.count, at: world.time) { settle(piece.chunk, of: end) }
    case nil: break
    }
  }
}
