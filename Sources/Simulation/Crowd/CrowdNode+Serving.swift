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
      key: file.served.key, pages: file.tree.pages, root: file.tree.root, name: "file", parts: isComplete ? nil : parts)
    guard end.driver.answer(open, .file(served), at: world.time) else { return }
    end.served = open.handle
    perform(on: end)
    directory.join(
      end.id.rawValue, end.peer.id, ip: end.peer.address.ip, port: end.peer.address.port, isListener: true,
      isTurnedAway: end.isTurnedAway, at: world.time)
    introduce(
      [end.id.rawValue],
      entriesMax: end.isTurnedAway ? PeerDirectory.entriesForTurnedAwayMax : PeerDirectory.entriesMax)
    if end.isTurnedAway { return hangUp(end, .tooManyConnections) }
    deferral.join(end.id.rawValue, at: world.time)
    end.driver.session.announce(promised: ledger.join(end.id.rawValue), of: open.handle)
    perform(on: end)
    // Who wants the file may have what is wanted here.
    guard withDownload({ $0.isEnded }) == false, !end.isFetching else { return }
    end.driver.session.fetches(file.target)
    end.isFetching = true
    tell(.connected(end.id, end.peer.id, from: end.peer.address.ip))
  }

  private var parts: HeldParts {
    var whole = Array(repeating: UInt8(0), count: (masks.count + 7) / 8)
    var runs: [LeafRun] = []
    for (index, mask) in masks.enumerated() where mask != 0 {
      let chunk = ChunkIndex(UInt32(index))
      if mask == file.layout.leaves(of: chunk).mask {
        whole[index / 8] |= 0x80 >> UInt8(index % 8)
      } else {
        runs += LeafRun.runs(of: mask, in: chunk)
      }
    }
    return HeldParts(wholeChunks: whole, runs: runs)
  }

  func admit(_ request: ChunkRequest, on end: CrowdEnd) {
    let isHeld = request.leaves.mask & ~masks[Int(request.chunk.rawValue)] == 0
    guard isHeld else { return end.driver.admit(request, .notHere) }
    let isFirst = ledger.isFirst(end.id.rawValue, of: request.chunk)
    let isTaken = deferral.accepts(end.id.rawValue, isFirst: isFirst, isFull: uploadFreeAt > world.time, at: world.time)
    end.driver.admit(request, isTaken ? .yes : .notNow)
  }

  /// Whether the next piece for a peer is of a chunk that it was promised first.
  func isNextFirst(_ end: CrowdEnd) -> Bool {
    end.driver.session.nextPieceChunk.map { ledger.isFirst(end.id.rawValue, of: $0.chunk) } ?? true
  }

  // MARK: Telling

  func promise(_ chunk: ChunkIndex, to end: CrowdEnd) {
    guard ledger.promise(chunk, to: end.id.rawValue) else { return }
    for other in ends where other !== end {
      guard let handle = other.served else { continue }
      other.driver.session.announce(promised: [chunk], of: handle)
      perform(on: other)
    }
  }

  /// A peer waits for nothing of a chunk any more.
  func settle(_ chunk: ChunkIndex, of end: CrowdEnd) {
    ledger.settle(chunk, of: end.id.rawValue, leafCount: file.layout.leafCount(of: chunk))
  }

  /// Leaves are here that were not.
  func gained(_ leaves: LeafRange, of chunk: ChunkIndex, isWhole: Bool) {
    let before = announcements.deadline
    announcements.gained(
      leaves, of: chunk, isWhole: isWhole, copies: withDownload { $0.copies(of: chunk) } ?? 0, at: world.time)
    guard let deadline = announcements.deadline, deadline != before else { return }
    if deadline <= world.time { announce() } else { world.at(deadline) { [self] in announce() } }
  }

  private func announce() {
    guard isUp, let deadline = announcements.deadline, deadline <= world.time, isDownloading else { return }
    let runs = announcements.take(at: world.time)
    for end in ends where !end.peerIsComplete {
      guard let handle = end.served else { continue }
      let lacked = withDownload { $0.lacked(runs, at: end.id) } ?? []
      if lacked.isEmpty { continue }
      end.driver.session.announce(lacked, of: handle)
      perform(on: end)
    }
  }

  /// Tells some, or all, of others.
  func introduce(_ members: Set<UInt64>? = nil, entriesMax: Int = PeerDirectory.entriesMax) {
    for (member, entries) in directory.messages(to: members, entriesMax: entriesMax, at: world.time) {
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
