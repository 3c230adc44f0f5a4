// Turns the messages for a download into events of its state machine and changes of its output.
import Content
import Posix
import Storage
import Transfer
import Wire

extension DownloadRun {
  /// Handles a message. The control thread calls `fire` before its next wait.
  func handle(_ message: DownloadMessage, at now: Instant) {
    if case .statisticsWanted(let answer) = message { return answer(state.statistics(at: now)) }
    if !isFetching {
      switch message {
      case .joined(let id, _, _, _, _), .connected(let id, _, _, _): return connections.refuse(id)
      default: break
      }
    }
    switch phase {
    case .fetching:
      receive(message, at: now)
      // `fire` performs the actions of all messages of a turn, which wakes the loops less often. But once the state
      // machine has ended, further messages belong to the end of the download.
      if state.isEnded { perform(at: now) }
    case .decided, .stopped:
      if case .cancelled = message { isCancelledLate = true } else { output.hearLate(message) }
    case .passingOn(let stats):
      switch message {
      case .streamEnded: complete(stats, at: now)
      case .cancelled: fail(.failed(.cancelled, stats, part: nil))
      default: break
      }
    case .finishing(let outcome):
      switch message {
      case .finished(let result): finished(outcome, result, at: now)
      case .cancelled: isCancelledLate = true
      default: break
      }
    case .staying(let result, _):
      switch message {
      case .cancelled: phase = .over(.success(result))
      case .contentsBegan: connections.releaseAll()
      case .unreadable(let error):
        onUpdate(.unreadable(error))
        phase = .over(.success(result))
      default: break  // messages of connections that the download no longer knows
      }
    case .over: break
    }
  }

  private func receive(_ message: DownloadMessage, at now: Instant) {
    switch message {
    case .connected(let id, let peer, let requestsMax, let zone):
      if let event = connections.connected(id, peer, requestsMax: requestsMax, zone: zone) { decide(event, at: now) }
    case .joined(let id, let address, let peer, let requestsMax, let zone):
      decide(connections.joined(id, address, peer, requestsMax: requestsMax, zone: zone), at: now)
    case .dialFailed(let id, let end): for event in connections.dialFailed(id, end) { decide(event, at: now) }
    case .connectionLost(let id, let end): for event in connections.lost(id, end) { decide(event, at: now) }
    case .yielded(let id): for event in connections.yielded(id) { decide(event, at: now) }
    case .peer(let id, let news): hear(news, from: id, at: now)
    case .unreadable(let error):
      if case .unreadable(let errno) = error { output.failed(.io(errno)) }
      decide(.writeFailed, at: now)
    case .verified(let id, let request, let chunk, let leaves, let needed, let leafHashes, let writing):
      output.wrote(needed, of: chunk, leafHashes: leafHashes, at: now)
      sharing.share.add(needed, of: chunk, leafHashes: leafHashes)
      decide(.leavesVerified(id, request, chunk, leaves, needed: needed, writing: writing), at: now)
    case .corrupt(let id, let chunk):
      connections.dismiss(id, .lied("chunk \(chunk.rawValue) does not hash"))
      decide(.lied(id), at: now)
    case .writeFailed(let error): failed(error, at: now)
    case .looked(let found):
      guard let here = output.looked(found, isNeeded: manifest == nil) else { return }
      manifest = here
      decide(.foundHere(here.layout), at: now)
    case .prepared(let result): prepared(result, at: now)
    case .resumed(let id, let page, let leaves, let events):
      output.journal(events, at: now)
      resumed(page, leaves, from: id, at: now)
    case .comparedShared(let leaves, let events, let isLast):
      output.journal(events, at: now)
      resumed(leaves, at: now)
      if isLast { decide(.sharedChunksCompared, at: now) }
    case .journal(let event): output.journal([event], at: now)
    case .streamed(let below):
      if let event = output.streamed(below: below, in: manifest!.layout) { decide(event, at: now) }
    case .streamEnded: break  // comes after a failure that was reported before
    case .workEnded, .finished, .contentsBegan: break  // come only after the state machine has ended
    case .resolved(let name, let result):
      for event in search.resolved(name, result, at: now) { decide(event, at: now) }
    case .hinted(let address, let peer): decide(.addressHinted(address, peer), at: now)
    case .discoverySettled(let summary): search.settled(summary)
    case .cancelled: decide(.cancelledByUser, at: now)
    case .statisticsWanted: break  // answered in every phase
    }
  }

  private func hear(_ news: PeerNews, from id: ConnectionID, at now: Instant) {
    var isCompared = false
    switch news {
    case .opened(let manifest, _):
      if let expectedLength, manifest.length != expectedLength {
        phase = .decided(.failure(.otherLength(expected: expectedLength, actual: manifest.length)))
        return
      }
      if isListingOnly, manifest.kind == .file {
        phase = .decided(
          .failure(.notAFolder(name: output.target.name(suggestedBy: manifest), length: manifest.length)))
        return
      }
      if self.manifest == nil { self.manifest = manifest }
      connections.opened(id)
    case .refused(let refusal): connections.dismiss(id, .refused(refusal))
    case .withdrawn(let reason): connections.dismiss(id, .withdrawn(reason))
    case .page(let page):
      // The part file is compared with the page before any of its chunks is requested.
      isCompared = output.compares(page, from: id, isNew: isNew(page), at: now)
      if !isCompared { learned(page) }
    case .busy, .answerBegan, .answerEnded, .othersServed, .have, .bitmap, .promised, .peers: break
    }
    decide(DownloadEvent(news, from: id, isCompared: isCompared), at: now)
  }

  /// Takes the leaves of a page's chunks that were found in the part file.
  /// - `id`: the connection that the page came from; nil: it came from the journal.
  private func resumed(
    _ page: HashPage, _ leaves: [(chunk: ChunkIndex, mask: UInt64)], from id: ConnectionID?, at now: Instant
  ) {
    learned(page)
    resumed(leaves, at: now)
    decide(.pageVerified(page.index, from: id), at: now)
  }

  private func resumed(_ leaves: [(chunk: ChunkIndex, mask: UInt64)], at now: Instant) {
    guard let layout = manifest?.layout else { preconditionFailure("chunks are compared when the layout is known") }
    for (chunk, mask) in leaves {
      let isWhole = mask == layout.leaves(of: chunk).mask
      let leafHashes =
        isWhole
        ? nil
        : chunkHashes?.hash(of: chunk).flatMap { output.journaledLeafHashes(of: chunk, hash: $0, in: layout) }
      sharing.share.add(mask, of: chunk, leafHashes: leafHashes)
    }
    let whole = leaves.filter { $0.mask == layout.leaves(of: $0.chunk).mask }
    if !whole.isEmpty, !isListing {
      let bytes = whole.reduce(0) { $0 + UInt64(layout.length(of: $1.chunk)) }
      onUpdate(.resumed(chunks: whole.count, bytes: bytes))
    }
    decide(.resumed(leaves), at: now)
  }
}
