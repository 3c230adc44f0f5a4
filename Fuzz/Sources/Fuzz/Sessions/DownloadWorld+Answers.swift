// Answers of the peers, and results of the download's actions.
import Content

@testable import Transfer
@testable import Wire

extension DownloadWorld {
  mutating func perform(_ action: DownloadAction) {
    require(ending == nil, "the last action is the last")
    switch action {
    case .dial(let address, let pinned, let id): dialled(address, pinned: pinned, id)
    case .open(let id):
      require(lines[id] != nil, "a file is opened on a connection that is there")
      opens(id)
    case .prepareStorage: post(.storageReady(resumable()), after: .milliseconds(1))
    case .fetchPage(let page, let id): fetches(page, id)
    case .request(let id, let request, let chunk, let leaves, let needed): asks(id, request, chunk, leaves, needed)
    case .cancel(let id, let request): cancels(id, request)
    case .disconnect(let id, let reason):
      require(reason != .banned || lines[id]?.stranger != nil, "the honest peer is not banned")
      // The node reports the connection as lost. The download ignores such an event.
      if lines[id] != nil { post(.connectionLost(id, .closed), after: .zero) }
      isGone(id)
    case .report(let report): check(report)
    case .filesCompleted(let entries): check(files: entries)
    case .finished, .failed: ending = action
    }
  }

  private func check(_ report: DownloadReport) {
    switch report {
    case .peerBanned(let peer): require(peer != DownloadWorld.honest, "the honest peer is not banned")
    case .chunkDone(let chunk, _, let finished, let total, _, _, _):
      require(written[chunk] == plan.layout.leaves(of: chunk).mask, "a chunk is done when all of it is written")
      require(finished <= total, "no more chunks are done than there are")
    default: break
    }
  }

  private func check(files entries: [UInt32]) {
    guard let folder = plan.layout.folder else { return require(false, "only a folder has files") }
    for entry in entries {
      let places = folder.places(ofFile: Int(entry))
      require(!places.isEmpty, "a file that is reported as complete has bytes")
      for (chunk, leaves) in places {
        let due = leaves & plan.settings.wanted.mask(of: chunk)
        require(due & ~(written[chunk] ?? 0) == 0, "a file is complete when all of it is written")
      }
    }
  }

  private mutating func fetches(_ page: PageIndex, _ id: ConnectionID) {
    require(lines[id]?.isOpen == true, "a page is fetched where the file is open")
    let pages = PageLayout(plan.layout, chunksPerPage: plan.chunksPerPage)
    require(pages.contains(page), "the content has the page")
    // A page is sent before data that waits.
    let (answer, delay, loss) = answer(id, isPage: true)
    switch answer {
    case .honest, .begins, .stopsMidway: post(.pageVerified(page, from: id), after: delay, id)
    case .closes, .closesMidway: post(.connectionLost(id, loss), after: delay, id)
    case .lies: post(.lied(id), after: delay, id)
    case .withdraws: post(.withdrawn(id), after: delay, id)
    case .late, .dribbles: post(.pageVerified(page, from: id), after: delay + .seconds(40), id)
    case .silent, .busy: break
    }
  }

  private mutating func asks(
    _ id: ConnectionID, _ request: RequestID, _ chunk: ChunkIndex, _ leaves: LeafRange, _ needed: UInt64
  ) {
    guard let line = lines[id], line.isOpen else { return require(false, "a request goes where the file is open") }
    require(line.lastRequest.map { $0 < request } ?? true, "request ids increase")
    let inFlightMax = plan.layout.folder == nil ? plan.settings.requestsInFlightMax : 64
    require(line.asked.count < inFlightMax, "a pipeline is bounded")
    require(plan.layout.contains(chunk) && leaves.end <= plan.layout.leafCount(of: chunk), "the file has the leaves")
    require(needed != 0 && needed & ~leaves.mask == 0, "a request is for leaves that are needed")
    require(known[chunk, default: 0] & needed == 0, "what is here is not needed")
    if let claims = line.claims {
      require(claims[chunk, default: 0] & leaves.mask == leaves.mask, "a peer is asked for what it says it has")
    }
    lines[id]!.lastRequest = request
    lines[id]!.asked[request] = (chunk, leaves)
    let (answer, latency, loss) = answer(id, isPage: false)
    let start = max(line.freeAt, now) + latency
    let delay = start - now
    lines[id]!.freeAt = start + .milliseconds(1)
    switch answer {
    case .honest: gives(leaves, needed, of: chunk, to: request, on: id, after: delay, every: .zero, isWhole: true)
    case .late:
      gives(leaves, needed, of: chunk, to: request, on: id, after: delay + .seconds(40), every: .zero, isWhole: true)
    case .dribbles:
      gives(leaves, needed, of: chunk, to: request, on: id, after: delay, every: .seconds(9), isWhole: true)
    case .stopsMidway:
      gives(leaves, needed, of: chunk, to: request, on: id, after: delay, every: .zero, isWhole: false)
    case .closesMidway:
      post(.answerBegan(id, request), after: delay, id, request)
      post(.connectionLost(id, loss), after: delay, id)
      // The leaf that the peer sent last is verified after the peer has gone.
      let first = LeafRange(first: leaves.first, count: 1)
      post(.leavesVerified(id, request, chunk, first, needed: needed), after: delay)
    case .begins: post(.answerBegan(id, request), after: delay, id, request)
    case .closes: post(.connectionLost(id, loss), after: delay, id)
    case .busy: post(.busy(id, request, retryAfter: latency * 2), after: delay, id, request)
    case .lies: post(.lied(id), after: delay, id)
    case .withdraws: post(.withdrawn(id), after: delay, id)
    case .silent: break
    }
  }

  private mutating func gives(
    _ leaves: LeafRange, _ needed: UInt64, of chunk: ChunkIndex, to request: RequestID, on id: ConnectionID,
    after delay: Duration, every gap: Duration, isWhole: Bool
  ) {
    post(.answerBegan(id, request), after: delay, id, request)
    var at = delay
    for leaf in leaves.first..<leaves.end {
      let isLast = leaf == leaves.end - 1
      if isLast && !isWhole { return }
      if isLast { post(.answerEnded(id, request), after: at, id, request) }
      let one = LeafRange(first: leaf, count: 1)
      post(.leavesVerified(id, request, chunk, one, needed: needed), after: at, id, request)
      at += gap
    }
    if gap > .zero { lines[id]!.freeAt = now + at }
  }

  private mutating func cancels(_ id: ConnectionID, _ request: RequestID) {
    require(lines[id]?.asked[request] != nil, "what was asked and not answered is cancelled")
    lines[id]!.asked[request] = nil
  }

  // MARK: Storage

  /// Returns what the journal of a killed process leaves. Each of its claims must be on the disk.
  private mutating func resumable() -> Resumable {
    guard let contents = JournalContents(decoding: journalBytes) else {
      require(false, "a journal can be read")
      return Resumable()
    }
    var resumable = Resumable()
    for (chunk, mask) in contents.claims(in: plan.layout).sorted(by: { $0.key < $1.key }) {
      require(mask & ~written[chunk, default: 0] == 0, "what the journal claims is on the disk")
      resumable.leaves.append((chunk, mask))
      known[chunk] = mask
    }
    return resumable
  }

  mutating func keep(_ event: JournalEvent) {
    journal.handle(event, at: now)
    while let action = journal.nextAction() {
      switch action {
      case .syncData: journal.handle(.dataSynced, at: now)
      case .append(let bytes): journalBytes += bytes
      case .syncJournal: journal.handle(.journalSynced, at: now)
      case .place, .syncFolder: break
      case .removeJournal: journal.handle(.placed, at: now)
      }
    }
  }
}
