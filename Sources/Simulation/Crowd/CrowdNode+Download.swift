// The download of a crowd's node: passes events to DownloadState and performs the actions that it decides.
import Content
import Transfer
import Wire

extension CrowdNode {
  /// Accesses the download, if there is one, in place: to read a large struct through a class would copy it.
  func withDownload<Result>(_ body: (inout DownloadState) -> Result) -> Result? {
    guard isUp, isDownloading else { return nil }
    return body(&download!)
  }

  func tell(_ event: DownloadEvent) {
    guard isUp, isDownloading else { return }
    events.append(event)
    if case .connected(let id, _, _, _) = event, let zone = zoneOfPeer(on: id) {
      events.append(.zone(id, zone))
    }
    guard !isHandling else { return }
    isHandling = true
    var next = 0
    while next < events.count {
      let event = events[next]
      next += 1
      if withDownload({ $0.isEnded }) != false { break }
      world.note("\(number) < \(event)")
      _ = withDownload { $0.handle(event, at: world.time) }
      while let action = withDownload({ $0.nextAction() }) ?? nil {
        world.note("\(number) > \(action)")
        perform(action)
      }
    }
    events.removeAll(keepingCapacity: true)
    isHandling = false
    setTimer()
  }

  /// Returns the zone that the peer announced in the handshake.
  private func zoneOfPeer(on id: ConnectionID) -> ZoneName? {
    (end(id)?.peer.node as? CrowdNode).flatMap { crowd.plan.zoneName(of: $0.number) }
  }

  private var deadline: Instant? { withDownload { $0.deadline } ?? nil }

  private func setTimer() {
    guard let deadline = deadline, timer == nil || deadline < timer! else { return }
    timer = deadline
    world.at(deadline) { [self] in
      guard timer == deadline else { return }
      timer = nil
      // The deadline may have changed since.
      if let due = self.deadline, due <= world.time { tell(.timerFired) } else { setTimer() }
    }
  }

  private func perform(_ action: DownloadAction) {
    switch action {
    case .dial(let address, _, let id): dial(address, id)
    case .open(let id): command(id) { $0.open() }
    case .prepareStorage: tell(.storageReady(Resumable()))
    case .fetchPage(let page, let id): command(id) { $0.command { $0.fetchPage(page.rawValue, of: $1) } }
    case .request(let id, let request, let chunk, let leaves, let needed):
      self.request(id, request, chunk, leaves, needed)
    case .cancel(let id, let request):
      if let end = end(id) { answered(request, on: end) }
      command(id) { $0.command { $0.cancel(request, of: $1) } }
    case .disconnect(let id, let reason):
      if reason == .banned { world.violate("\(number) bans an honest peer") }
      if let end = end(id), let spare = disconnect(end, reason) { tell(event(connected: spare)) }
    case .report, .filesCompleted: break
    case .finished(let stats):
      hasFinished = true
      if bytes != file.bytes { world.violate("a finished file has wrong bytes") }
      crowd.finished(self, stats)
    case .failed(let failure, _): world.violate("the download of \(number) fails: \(failure)")
    }
  }

  private func command(_ id: ConnectionID, _ change: (NodeEnd) -> Void) {
    guard let end = end(id) else { return }
    change(end)
    perform(on: end)
  }

  private func request(
    _ id: ConnectionID, _ request: RequestID, _ chunk: ChunkIndex, _ leaves: LeafRange, _ needed: UInt64
  ) {
    guard let end = end(id) else { return }
    end.asked[request] = chunk
    askers[Int(chunk.rawValue)] += 1
    if askers[Int(chunk.rawValue)] > 2 { world.violate("\(number) asks more than two for chunk \(chunk.rawValue)") }
    if end.asked.count > ProtocolLimits.requestsInFlightMax { world.violate("\(number) asks too much of one peer") }
    let hash = file.chunkHashes[Int(chunk.rawValue)]
    let known = held.leafHashes(of: chunk)
    let asked = FetchRequest(
      id: request, chunk: chunk, leaves: leaves, needed: needed, chunkHash: hash, leafHashes: known)
    end.command { $0.request(asked, of: $1) }
    perform(on: end)
  }

  func answered(_ request: RequestID, on end: NodeEnd) {
    guard let chunk = end.asked.removeValue(forKey: request) else { return }
    askers[Int(chunk.rawValue)] -= 1
  }

  /// The page has been verified against the root.
  func learnedPage() {
    guard !isPageKnown else { return }
    isPageKnown = true
    for end in ends {
      end.driver.session.lookUpAgain()
      perform(on: end)
    }
  }
}
