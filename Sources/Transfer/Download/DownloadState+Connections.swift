// How connections come and go: handshakes, OPEN, losses, bans.
import Content
import Wire

extension DownloadState {
  mutating func connected(
    _ id: ConnectionID, as peer: PeerID, requestsMax: Int, from ip: [UInt8]?, at now: Instant
  ) {
    if connections[id] == nil {
      guard id >= ConnectionID.firstInbound, admitInbound(id, from: ip, at: now) else {
        return act(.disconnect(id, .done))
      }
      book.met(peer)
    }
    let address = connections[existing: id].address
    guard connections[existing: id].phase == .dialing else { return }
    if let address { book.connected(address, as: peer) }
    if book.isBanned(peer) {
      connections[id] = nil
      if let address { book.ban(peer, at: address, group: nil) }
      return act(.disconnect(id, .banned))
    }
    if connections.id(of: peer) != nil {
      connections[id] = nil
      if let address { book.ended(address, .duplicate, at: now) }
      return act(.disconnect(id, .duplicate))
    }
    connections.connected(id, as: peer, requestsMax: requestsMax)
    timers.set(.open(id), at: now + settings.chunkTimeout)
    act(.open(id))
  }

  mutating func dialFailed(_ id: ConnectionID, _ failure: DialFailure, at now: Instant) {
    guard let connection = remove(id), let address = connection.address else { return }
    if failure == .ourselves {
      book.dismiss(address, .dialFailed(failure))
    } else {
      book.ended(address, .dialFailed(failure), at: now)
    }
  }

  mutating func opened(_ id: ConnectionID, _ layout: ChunkLayout, isComplete: Bool, at now: Instant) {
    guard let connection = connections[id], connection.phase == .opening, let peerID = connection.peerID else { return }
    if phase == .seeking {
      begin(layout, at: now)
    } else if layout != chunks.layout {
      // Two manifests that differ cannot both fit the fileID.
      return lied(id, at: now)
    }
    timers.cancel(.open(id))
    if !isComplete { hasMetSharers = true }
    let number = peers.join(peerID)
    peers[number].connection = id
    peers[number].leftAt = nil
    peers[number].exhaustedAt = 0
    peers[number].group = connection.group
    peers[number].zone = connection.zone
    peers[number].gaveAt = now
    peers[number].origin = connection.origin == .named || book.isNamed(peerID) ? .named : connection.origin
    if let address = connection.address { peers[number].address = address }
    connections[existing: id].opened(by: number, RemoteAvailability(isComplete: isComplete, layout: layout))
    book.opened(connection.address, at: now)
    setUndriven(workers.join(number))
    updateUsability(at: now)
    tryAgain(at: now)
    act(.report(.peerJoined(peerID)))
  }

  /// Handles a peer that does not have the file, or does not open it for this node.
  mutating func notOpened(_ id: ConnectionID, _ outcome: AddressOutcome, at now: Instant) {
    guard connections[id]?.phase == .opening, let connection = remove(id) else { return }
    if let address = connection.address { book.ended(address, outcome, at: now) }
    missed(connection, at: now)
    act(.disconnect(id, .done))
  }

  mutating func openTimedOut(_ id: ConnectionID, at now: Instant) { notOpened(id, .silent, at: now) }

  /// Handles WITHDRAWN: the peer no longer offers the file. Its requests are dropped, and no peer has failed.
  mutating func withdrawn(_ id: ConnectionID, at now: Instant) {
    guard let connection = connections[id], connection.phase == .open else { return }
    connections.remember(id, connection)
    releaseAll(id, at: now)
    leave(id, .withdrawn, at: now)
    missed(connection, at: now)
    act(.disconnect(id, .done))
  }

  /// Drops a connection that the download closes. Its requests are dropped, and no peer has failed.
  mutating func letGo(_ id: ConnectionID, _ outcome: AddressOutcome, at now: Instant) {
    guard let connection = connections[id] else { return }
    if connection.phase == .open {
      connections.remember(id, connection)
      releaseAll(id, at: now)
      leave(id, .connection(.closed), at: now)
    } else {
      _ = remove(id)
      if let address = connection.address { book.ended(address, outcome, at: now) }
    }
    missed(connection, at: now)
  }

  /// Dials the known addresses of a peer after the loss of a connection that the peer had dialled.
  private mutating func missed(_ connection: Connection, at now: Instant) {
    if connection.address == nil, let peerID = connection.peerID { book.missed(peerID, at: now) }
  }

  /// Bans a peer that lied, at once and for this download. A lie spends no retry.
  mutating func lied(_ id: ConnectionID, at now: Instant) {
    guard let connection = connections[id], let peerID = connection.peerID else { return liedBeforeLoss(id, at: now) }
    // The peer may have a number from an earlier connection and lie before it opens the file on this one.
    countLie(of: peerID)
    connections.remember(id, connection)
    if connection.peer != nil { releaseAll(id, at: now) }
    book.ban(peerID, at: connection.address, group: connection.group)
    act(.report(.peerBanned(peerID)))
    act(.disconnect(id, .banned))
    if connection.phase == .open { leave(id, nil, at: now) } else { _ = remove(id) }
  }

  /// Bans a peer whose connection was lost before its data turned out to be a lie.
  private mutating func liedBeforeLoss(_ id: ConnectionID, at now: Instant) {
    guard let lost = connections.lost.first(where: { $0.id == id }) else { return }
    let peerID = lost.peer
    if book.isBanned(peerID) { return }
    if let current = connections.id(of: peerID) { return lied(current, at: now) }
    countLie(of: peerID)
    book.ban(peerID, at: lost.address, group: lost.group)
    act(.report(.peerBanned(peerID)))
  }

  private mutating func countLie(of peerID: PeerID) {
    guard let number = peers.number(of: peerID) else { return }
    count(.lie, of: number)
    peers[number].isBanned = true
  }

  mutating func connectionLost(_ id: ConnectionID, _ reason: LossReason, at now: Instant) {
    guard let connection = connections[id] else { return }
    connections.remember(id, connection)
    defer { missed(connection, at: now) }
    if connection.phase == .open {
      if reason == .goodbye(CloseCode.tooManyConnections.rawValue) || reason == .goodbye(CloseCode.done.rawValue) {
        // The peer has no room, or has all that it wanted. In large crowds both happen at any time, and are no failure.
        releaseAll(id, at: now)
      } else {
        // Fail the requests first: they count as a failure of the peer, even if the loss ends the download.
        failAll(id, reason, at: now)
        if phase != .ended { pageFailed(id, .connectionLost(reason), .left, at: now) }
      }
      if phase != .ended { leave(id, .connection(reason), at: now) }
    } else if let connection = remove(id), let address = connection.address {
      let outcome: AddressOutcome =
        switch reason {
        case _ where connection.phase == .dialing: .dialFailed(.unreachable)
        case .goodbye(CloseCode.notAllowed.rawValue): .refused(.notAllowed)  // sent instead of an answer to OPEN
        case .goodbye(CloseCode.duplicateConnection.rawValue): .duplicate
        default: .lost(.connection(reason))
        }
      book.ended(address, outcome, at: now)
    }
  }

  /// Handles a connection that closed as a duplicate. Its requests are dropped, and no peer has failed: the peer is
  /// still connected.
  mutating func replaced(_ id: ConnectionID, at now: Instant) {
    guard let connection = connections[id] else { return }
    if connection.phase == .open {
      connections.remember(id, connection)
      releaseAll(id, at: now)
      leave(id, nil, at: now)
    } else {
      _ = remove(id)
    }
    if let address = connection.address { book.replaced(address, at: now) }
  }

  /// Removes a live peer. With a reason, reports the loss and dials the peer's address again later. Without one, another
  /// connection to the peer takes its place, so a BUSY of the peer stays in force.
  private mutating func leave(_ id: ConnectionID, _ reason: PeerLossReason?, at now: Instant) {
    guard let connection = remove(id), let number = connection.peer else { return }
    peers[number].connection = nil
    peers[number].leftAt = now
    if reason != nil {
      peers[number].busyUntil = nil
      timers.cancel(.busyEnds(number))
    }
    forgetCopies(of: connection)
    if let reason {
      act(.report(.peerLost(peers[number].id, reason)))
      if let address = connection.address { book.ended(address, .lost(reason), at: now) }
    }
    chunks.reconsider()
    setUndriven(workers.leave(number))
    noteDeparture(of: number, at: now)
    if phase != .ended { updateUsability(at: now) }
  }

  /// Removes a connection, its page and its timers.
  private mutating func remove(_ id: ConnectionID) -> Connection? {
    guard let connection = connections.remove(id) else { return nil }
    if let page = connection.page { pages.drop(page, from: id) }
    timers.cancel(.open(id))
    timers.cancel(.page(id))
    timers.cancel(.chunk(id))
    timers.cancel(.patience(id))
    return connection
  }
}
