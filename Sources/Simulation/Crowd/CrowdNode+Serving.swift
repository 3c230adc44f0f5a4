// What a node of a crowd tells others: of parts that it has, of chunks that it promised, of peers that it knows.
import Content
import Transfer
import Wire

extension CrowdNode {
  // MARK: Being asked

  func look(_ open: Open, on end: CrowdEnd) {
    guard end.driver.session.isMeant(file.served.key, by: open) else {
      return world.violate("\(number) is asked for another file")
    }
    guard isPageKnown else { return _ = end.driver.answer(open, .notYet, at: world.time) }
    let served = ServedFile(
      key: file.served.key, pages: file.tree.pages, root: file.tree.root, name: "file",
      parts: held.isComplete ? nil : held.offer)
    guard end.driver.answer(open, .file(served), at: world.time) else { return }
    end.served = open.handle
    noteUse(of: end)
    perform(on: end)
    let peer = ContentSwarm.Peer(
      id: end.peer.id, ip: end.peer.address.ip, port: end.peer.address.port, isTurnedAway: end.isTurnedAway)
    end.driver.session.announce(promised: swarm.join(end.id.rawValue, peer, at: world.time), of: open.handle)
    introduce([end.id.rawValue])
    perform(on: end)
    if end.isTurnedAway { return hangUp(end, .tooManyConnections) }
    // Who wants the file may have what is wanted here.
    guard withDownload({ $0.isEnded }) == false, !end.isFetching else { return }
    end.driver.session.fetches(file.target)
    end.isFetching = true
    tell(.connected(end.id, end.peer.id, from: end.peer.address.ip))
  }

  func admit(_ request: ChunkRequest, on end: CrowdEnd) {
    guard held.offers(request.leaves, of: request.chunk) else { return end.driver.admit(request, .notHere) }
    let isTaken = swarm.accepts(
      request.chunk, from: end.id.rawValue, isFull: crowd.plan.limitsUpload && uploadFreeAt > world.time, at: world.time
    )
    end.driver.admit(request, isTaken ? .yes : .notNow)
  }

  /// Says whether a piece waits for the peer. True if it goes before chunks that other peers were promised, as a page does
  /// once.
  func noteWaiting(_ end: CrowdEnd) -> Bool {
    guard let next = end.driver.session.nextPieceChunk else {
      swarm.rests(end.id.rawValue)
      return !end.driver.session.isNextPageRepeated
    }
    return swarm.waits(for: next.chunk, end.id.rawValue, isFull: crowd.plan.limitsUpload, at: world.time)
  }

  // MARK: Telling

  func promise(_ chunk: ChunkIndex, to end: CrowdEnd) {
    guard swarm.promise(chunk, to: end.id.rawValue) else { return }
    for other in ends where other !== end {
      guard let handle = other.served else { continue }
      other.driver.session.announce(promised: [chunk], of: handle)
      perform(on: other)
    }
  }

  /// A peer waits for nothing of a chunk any more.
  func settle(_ chunk: ChunkIndex, of end: CrowdEnd) {
    swarm.settle(chunk, of: end.id.rawValue, leafCount: file.layout.leafCount(of: chunk))
  }

  /// Peers hear of leaves that are new, when it is time.
  func announceLater() {
    guard !isToAnnounce, let deadline = held.newsDeadline else { return }
    isToAnnounce = true
    world.at(max(deadline, world.time)) { [self] in
      isToAnnounce = false
      announce()
    }
  }

  private func announce() {
    guard isUp, isDownloading else { return }
    let runs = held.takeNews(at: world.time)
    for end in ends {
      guard let handle = end.served else { continue }
      end.driver.session.announce(runs, of: handle)
      perform(on: end)
    }
  }

  /// Tells some, or all, of others.
  func introduce(_ members: Set<UInt64>? = nil) {
    for (member, entries) in swarm.introductions(to: members, at: world.time) {
      guard let end = end(ConnectionID(member)), let handle = end.served else { continue }
      end.driver.session.announce(peers: entries, of: handle)
      perform(on: end)
    }
  }

  /// As often as the node's loop looks whether anybody is to be told.
  func introduceAll() {
    guard isUp else { return }
    introduce()
    world.after(.milliseconds(500)) { [self] in introduceAll() }
  }
}
