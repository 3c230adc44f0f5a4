// Finds what the peer asks for, and withdraws what is no longer what it was.
import Content
import Posix
import Storage
import Transfer
import Wire

extension PeerConnection {
  // MARK: Opening

  func lookUp(_ open: Open) {
    // Asked before looking: a scan that ends in between says so by a command that is still to come.
    let isScanning = loop.context.isScanning
    if let (entry, key) = find(open) {
      let file = ServedFile(key: key, pages: entry.pages, root: entry.root, name: entry.name)
      offer(file, .entry(entry), path: entry.path, to: open)
    } else if let shared = loop.context.shared, driver!.session.isMeant(shared.key, by: open) {
      fetch(for: shared)
      if let file = shared.offer {
        offer(file, .download(shared), path: file.name, to: open)
      } else {
        // Soon there is something to offer, or there was.
        driver!.answer(open, shared.isFetching ? .notYet : .noSuchFile, at: loop.now)
      }
    } else {
      driver!.answer(open, isScanning ? .notYet : .noSuchFile, at: loop.now)
    }
  }

  private func offer(_ file: ServedFile, _ source: ServedSource, path: String, to open: Open) {
    guard driver!.answer(open, .file(file), at: loop.now), let peerID else { return }
    served[open.handle] = source
    record?.open(open.handle, path: path)
    loop.context.report(.opened(peerID, address, path: path))
    joinAudience(of: source, chunkCount: file.layout.chunkCount, open.handle, as: peerID)
  }

  /// Who dialled us and knows the file is asked for what it has of it.
  private func fetch(for shared: SharedDownload) {
    guard role == .listener, !isTurnedAway, link == nil, let peerID, shared.isFetching else { return }
    let id = loop.context.nextInboundID()
    (self.id, link) = (id, shared.link)
    driver!.session.fetches(shared.link.fetchTarget)
    loop.register(self, as: id)
    shared.link.tell(
      .joined(id, loop: loop.index, address, peerID, requestsMax: requestsMax))
  }

  // MARK: Others that share the file

  private func joinAudience(of source: ServedSource, chunkCount: Int, _ handle: FileHandle, as peerID: PeerID) {
    let peer = ContentSwarm.Peer(id: peerID, ip: address.ip, port: listenPort, isTurnedAway: isTurnedAway)
    let promised = loop.context.audiences.join(source.fileID, chunkCount: chunkCount, member, peer, at: loop.now)
    driver!.session.announce(promised: promised, of: handle)
    introduce(
      loop.context.audiences.introductions(of: source.fileID, to: [member], at: loop.now), of: source.fileID)
  }

  func leaveAudiences() {
    for source in served.values { loop.context.audiences.leave(source.fileID, member, at: loop.now) }
    if let link { loop.context.audiences.leave(link.fileID, member, at: loop.now) }
  }

  /// The other end has the file that is fetched: whoever fetches it here is told.
  func meet(chunkCount: Int) {
    guard let link, let peerID else { return }
    let peer = ContentSwarm.Peer(id: peerID, ip: address.ip, port: listenPort)
    loop.context.audiences.meet(link.fileID, chunkCount: chunkCount, member, peer, at: loop.now)
  }

  /// Tells the other end of those that share a file.
  func introduce(_ introductions: [(member: Audiences.Member, entries: [PeerExchange.Entry])], of fileID: FileID) {
    for introduction in introductions where introduction.member == member {
      for (handle, source) in served where source.fileID == fileID {
        driver?.session.announce(peers: introduction.entries, of: handle)
      }
    }
  }

  /// A chunk will be sent here: the others that share the file learn of it.
  func promise(_ chunk: ChunkIndex, of handle: FileHandle) {
    guard let source = served[handle], loop.context.audiences.promise(chunk, of: source.fileID, to: member) else {
      return
    }
    loop.context.tellAllLoops(.promised(source.fileID, chunk, to: member))
  }

  /// The other end waits for nothing of a chunk any more.
  func settlePromise(of chunk: ChunkIndex, in handle: FileHandle) {
    guard case .entry(let entry)? = served[handle] else { return }
    loop.context.audiences.settle(chunk, of: entry.fileID, member, leafCount: entry.layout.leafCount(of: chunk))
  }

  /// Leaves of a chunk have left.
  func sent(_ piece: UploadPiece, byteCount: Int) {
    let isSettled = driver!.sent(piece, byteCount: byteCount, at: loop.now)
    guard case .entry(let entry)? = served[piece.handle] else { return }
    loop.context.audiences.sent(piece.leaves.count, of: piece.chunk, of: entry.fileID, to: member)
    if isSettled { settlePromise(of: piece.chunk, in: piece.handle) }
  }

  /// A chunk will be sent to another connection. The peer hears of it at the end of the turn, with what else was promised.
  func promised(_ chunk: ChunkIndex, of fileID: FileID, to other: Audiences.Member) {
    guard other != member, isEstablished, !isFinishing else { return }
    for (handle, source) in served where source.fileID == fileID {
      driver?.session.announce(promised: [chunk], of: handle)
    }
    if driver?.session.hints.isEmpty == false { loop.enqueue(hinting: self) }
  }

  /// Whether what is asked for is here, and to be sent now.
  func admit(_ request: ChunkRequest) {
    guard holds(request), let source = served[request.handle] else {
      return driver!.admit(request, .notHere)
    }
    let isTaken = loop.context.audiences.accepts(
      request.chunk, of: source.fileID, from: member, isFull: loop.isThrottled, at: loop.now)
    driver!.admit(request, isTaken ? .yes : .notNow)
  }

  /// Says that the next piece waits to be sent, or that none does. True if it goes before what others were promised, as
  /// a page does once.
  func noteWaiting() -> Bool {
    let next = driver?.session.nextPieceChunk
    let source = next.flatMap { served[$0.handle] }
    if let fileID = waitsFor, fileID != source?.fileID { loop.context.audiences.rests(fileID, member) }
    waitsFor = source?.fileID
    guard let next, let source else { return driver?.session.isNextPageRepeated != true }
    return loop.context.audiences.waits(
      for: next.chunk, of: source.fileID, member, isFull: loop.isThrottled, at: loop.now)
  }

  /// More files are served than before, or the scan is over.
  func catalogueChanged() { command { $0.lookUpAgain() } }

  private func find(_ open: Open) -> (CatalogueEntry, FileKey)? {
    let context = loop.context
    for entry in context.catalogue?.candidates(bucket: open.bucket) ?? [] {
      let key = FileKey(entry.fileID, swarm: context.swarmKey)
      if driver!.session.isMeant(key, by: open) { return (entry, key) }
    }
    return nil
  }

  // MARK: Withdrawing

  /// A file turned out to be no longer what it was. Another of the same bytes takes its place where there is one, else
  /// the handle is gone.
  func withdraw(_ handle: FileHandle, because error: StoredFileError) {
    switch served[handle] {
    case .entry(let entry)?:
      loop.context.withdraw(entry, because: error)
      replace(handle, of: entry, orSay: Withdrawn.Reason(error))
      performSession()
    case .download(let shared)?:
      loop.context.withdraw(shared, because: error)
      withdrawDownload(because: Withdrawn.Reason(error))
    case nil: break
    }
  }

  /// An entry is no longer served; it may be open here.
  func withdraw(_ entry: CatalogueEntry, because reason: Withdrawn.Reason) {
    let handles = served.filter { if case .entry(let other) = $0.value { other === entry } else { false } }.keys
    guard !handles.isEmpty else { return }
    guard isEstablished, !isFinishing, !isClosed else { return }
    for handle in handles { replace(handle, of: entry, orSay: reason) }
    command { _ in }
  }

  private func replace(_ handle: FileHandle, of entry: CatalogueEntry, orSay reason: Withdrawn.Reason) {
    if let other = loop.context.catalogue?.entry(entry.fileID) {
      served[handle] = .entry(other)
      record?.open(handle, path: other.path)
    } else {
      served[handle] = nil
      record?.open(handle, path: nil)
      loop.context.audiences.leave(entry.fileID, member, at: loop.now)
      driver!.session.withdraw(handle, reason)
    }
  }

  // MARK: The file of a download

  /// Whether what is asked for is here. Of a file that is served all is; what is no file at all the session refuses.
  func holds(_ request: ChunkRequest) -> Bool {
    guard case .download(let shared)? = served[request.handle] else { return true }
    return shared.offers(request.leaves, of: request.chunk)
  }

  private var downloadHandles: [FileHandle] {
    served.filter { if case .download = $0.value { true } else { false } }.map(\.key)
  }

  /// More leaves of the download's file are here.
  func announce(_ runs: [LeafRun]) {
    guard isEstablished, !isFinishing else { return }
    for handle in downloadHandles { driver?.session.announce(runs, of: handle) }
    if driver?.session.hints.isEmpty == false { loop.enqueue(hinting: self) }
  }

  /// The download's file is offered no more: what was asked for is void, and that is nobody's failure.
  func withdrawDownload(because reason: Withdrawn.Reason = .notOffered) {
    guard isEstablished, !isFinishing, !isClosed, !served.isEmpty else { return }
    for handle in downloadHandles {
      if let source = served.removeValue(forKey: handle) {
        loop.context.audiences.leave(source.fileID, member, at: loop.now)
      }
      record?.open(handle, path: nil)
      driver?.session.withdraw(handle, reason)
    }
    performSession()
  }
}
