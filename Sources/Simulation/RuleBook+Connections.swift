// The consequences when a connection begins or ends.
import Content
import Transfer
import Wire

extension RuleBook {
  mutating func connected(
    _ id: ConnectionID, _ peer: PeerID, _ requestsMax: Int, from ip: [UInt8]?, at now: Instant
  ) {
    dials[id] = nil
    peerOf[id] = peer
    if let group = (addresses[id]?.ip ?? ip).map({ AddressGroup(ip: $0) }) { groups[peer] = group }
    if let address = addresses[id] {
      if namedAddresses.contains(address) { namedPeers.insert(peer) }
    } else {
      // The peer need not be dialled again.
      for (other, address) in addresses where peerOf[other] == peer {
        idleSince[address] = nil
        awaitedAddresses.remove(address)
      }
    }
    lines[id] = Line(peer: peer, requestsMax: requestsMax, openDue: now + settings.chunkTimeout)
  }

  mutating func opened(_ id: ConnectionID, isComplete: Bool, at now: Instant) {
    guard let peer = lines[id]?.peer else { return }
    lines[id]!.isOpen = true
    if namedPeers.contains(peer) { named.insert(peer) }
    if let address = addresses[id] {
      resolvedAddresses.insert(address)
      dialled.insert(peer)
      cameIn.remove(peer)
    } else {
      cameIn.insert(peer)
    }
    if !isComplete { lines[id]!.held = Array(repeating: 0, count: layout.chunkCount) }
    if joined.isEmpty { foundAt = now }
    if !joined.contains(peer) { joined.append(peer) }
    if isTrusted(peer) { lastProgress = now }
    forgive()
  }

  mutating func lied(_ id: ConnectionID) {
    guard let peer = peerOf[id], !banned.contains(peer) else {
      lines[id] = nil
      return
    }
    banned.insert(peer)
    expectedBans.insert(peer)
    let dialled = addresses.filter { $0.key == id || peerOf[$0.key] == peer }.map(\.value)
    for address in dialled + pins.filter({ $0.value == peer }).map(\.key) {
      bannedAddresses.insert(address)
      idleSince[address] = nil
      awaitedAddresses.remove(address)
    }
    if joined.contains(peer) { standings[peer, default: Standing()].failures += 1 }
    for (other, line) in lines where line.peer == peer { lines[other] = nil }
  }

  mutating func lost(_ id: ConnectionID, _ reason: LossReason, at now: Instant) {
    guard let line = lines[id] else { return }
    if reason == .goodbye(CloseCode.done.rawValue) || reason == .goodbye(CloseCode.tooManyConnections.rawValue) {
      giveBackAll(id, at: now)
    } else {
      failAll(id, line, reason)
    }
    lines[id] = nil
    lostAt[line.peer] = now
    if reason == .goodbye(CloseCode.tooManyConnections.rawValue), let address = addresses[id] {
      fullAddresses.insert(address)
      if joined.isEmpty {
        turnAways[address, default: 0] += 1
        if turnAways[address]! <= 3 { awaitedAddresses.insert(address) }
      }
    }
    leave(id, at: now)
    standings[line.peer]?.busyUntil = nil
  }

  private mutating func failAll(_ id: ConnectionID, _ line: Line, _ reason: LossReason) {
    if line.isOpen { failPage(id, .connectionLost(reason), hasLeft: true) }
    lines[id]!.asked = []
    if line.asked.isEmpty { return }
    fail(line.peer)
    if let first = line.asked.first(where: { !$0.isEnded }) {
      spend(first, of: line.peer, .connectionLost(reason), hasLeft: true)
    }
  }

  /// A peer leaves without a failure. Other peers are asked first for what it was about to give.
  mutating func giveBackAll(_ id: ConnectionID, at now: Instant) {
    guard let line = lines[id] else { return }
    if let first = line.asked.first(where: { !$0.isEnded }) {
      giveBack(.chunk(Int(first.chunk.rawValue)), by: line.peer, since: first.started, at: now)
    }
    if let page = line.page { giveBack(.page(page), by: line.peer, since: line.pageAskedAt, at: now) }
  }
}
