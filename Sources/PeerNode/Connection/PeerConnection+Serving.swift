// The serving side of a connection: finds the files that the peer opens, and introduces peers that share a file.
import Content
import Posix
import Storage
import Transfer
import Wire

extension PeerConnection {
  // MARK: Opening

  func lookUp(_ open: Open, for peer: EstablishedPeer) {
    // Read before the search: if a scan ends in between, a `catalogueChanged` that is still to come says so.
    let isScanning = loop.context.isScanning
    let found = loop.context.offered.find(bucket: open.bucket, loop.context) {
      peer.driver.session.isMeant($0, by: open)
    }
    switch found {
    case .source(.entry(let entry, let folder), let key)?:
      let file = ServedFile(key: key, pages: entry.pages, root: entry.root, name: entry.name)
      offer(file, .entry(entry, folder), path: entry.path, to: open, of: peer)
    case .source(.listing(let listing), let key)?:
      let file = ServedFile(
        kind: .folder, key: key, pages: PageLayout(listing.loaded.chunks), root: listing.listing.root,
        name: listing.name)
      offer(file, .listing(listing), path: listing.listing.path, to: open, of: peer)
    case .source(.contents(let contents), let key)?:
      // The missing files may still be hashed.
      if !contents.absent.isEmpty, contents.share.isScanning {
        peer.driver.answer(open, .notYet, at: loop.now)
      } else {
        offer(contents.file(key), .contents(contents), path: contents.listing.path, to: open, of: peer)
      }
    case .source(.download(let share), _)?:
      fetch(from: peer, for: share)
      if let file = share.offer {
        offer(file, .download(share), path: file.name, to: open, of: peer)
      } else {
        // A download that still fetches will soon offer something.
        peer.driver.answer(open, share.isFetching ? .notYet : .noSuchFile, at: loop.now)
      }
    case .later?: peer.driver.answer(open, .notYet, at: loop.now)
    case nil: peer.driver.answer(open, isScanning ? .notYet : .noSuchFile, at: loop.now)
    }
  }

  private func offer(
    _ file: ServedFile, _ source: ServedSource, path: String, to open: Open, of peer: EstablishedPeer
  ) {
    guard peer.driver.answer(open, .file(file), at: loop.now) else { return }
    serve(source, as: open.handle, to: peer)
    peer.uploads[open.handle] = Upload(path: path, began: loop.now)
    record?.open(open.handle, path: path)
    if !peer.isTurnedAway { fetchWatch?.opened(source.fileID, file.layout, by: peer.id, at: address) }
    loop.context.report(.opened(peer.id, address, path: path))
    joinSwarm(of: source, chunkCount: file.layout.chunkCount, open.handle, as: peer)
  }

  /// Reports the peer to the download: a peer that opens the content may also have some of it.
  private func fetch(from peer: EstablishedPeer, for share: DownloadShare) {
    guard !peer.isTurnedAway, share.isFetching, !fetches.has(share.link.id) else { return }
    fetches.offer(to: share.link.id)
    reportToControl(
      .joined(share.link.id, address, peer.id, requestsMax: peer.requestsMax, zone: peer.zone))
  }

  /// Looks again at OPENs that wait: more files are served, or the scan is over.
  func catalogueChanged() { command { $0.lookUpAgain() } }

  // MARK: Others that share the file

  private func joinSwarm(
    of source: ServedSource, chunkCount: Int, _ handle: FileHandle, as peer: EstablishedPeer
  ) {
    let face = ContentSwarm.Peer(
      id: peer.id, ip: address.ip, port: peer.listenPort, isTurnedAway: peer.isTurnedAway)
    let promised = loop.context.swarms.join(source.fileID, chunkCount: chunkCount, token, face, at: loop.now)
    peer.driver.session.announce(promised: promised, of: handle)
    introduce(
      loop.context.swarms.introductions(of: source.fileID, to: [token], at: loop.now), of: source.fileID)
  }

  /// Sets the content of a handle of the peer; nil: the handle is closed. News about a content reach the connection by
  /// this.
  func serve(_ source: ServedSource?, as handle: FileHandle, to peer: EstablishedPeer) {
    if let old = peer.served[handle] { loop.isClosed(old.fileID, at: self) }
    reportUpload(handle, of: peer)
    peer.served[handle] = source
    if let source { loop.isOpen(source.fileID, at: self) }
  }

  /// Counts the fetches of served contents; nil: the program does not want that.
  private var fetchWatch: FetchWatch? { loop.context.configuration.fetchWatch }

  /// Reports the upload of a handle that is closed or now stands for another file.
  private func reportUpload(_ handle: FileHandle, of peer: EstablishedPeer) {
    guard let upload = peer.uploads.removeValue(forKey: handle), upload.byteCount > 0 else { return }
    loop.context.report(
      .uploaded(peer.id, address, path: upload.path, bytes: upload.byteCount, loop.now - upload.began))
  }

  /// Reports the uploads and fetches of a connection that ends.
  func endFetches(_ end: ConnectionEnd) {
    guard let peer else { return }
    for handle in peer.uploads.keys.sorted(by: { $0.rawValue < $1.rawValue }) { reportUpload(handle, of: peer) }
    guard let fetchWatch, !peer.isTurnedAway else { return }
    let isDone = if case .remote(.done, _) = end { true } else { false }
    for source in peer.served.values { fetchWatch.closed(source.fileID, by: peer.id, isDone: isDone) }
  }

  /// Handles CLOSE: the peer closed a handle.
  func closed(_ handle: FileHandle, of peer: EstablishedPeer) {
    guard let fileID = peer.served[handle]?.fileID else { return }
    fetchWatch?.closed(fileID, by: peer.id, isDone: true)
    serve(nil, as: handle, to: peer)
    record?.open(handle, path: nil)
    if let content = fetches.contents.first(where: { $0.link.fileID == fileID }),
      peer.driver.session.isFetching(content.handle)
    {
      loop.context.swarms.leave(fileID, token, stillMeeting: source(peer), at: loop.now)
    } else {
      loop.context.swarms.leave(fileID, token, at: loop.now)
    }
  }

  func leaveSwarms() {
    for source in (peer?.served ?? [:]).values {
      loop.isClosed(source.fileID, at: self)
      loop.context.swarms.leave(source.fileID, token, at: loop.now)
    }
    for content in fetches.contents { loop.context.swarms.leave(content.link.fileID, token, at: loop.now) }
  }

  /// Returns the peer as a source of a content, for the content's swarm.
  func source(_ peer: EstablishedPeer) -> ContentSwarm.Peer {
    ContentSwarm.Peer(id: peer.id, ip: address.ip, port: peer.listenPort)
  }

  /// Sends the peer the addresses of others that share a file.
  func introduce(_ introductions: [(member: ConnectionToken, entries: [PeerExchange.Entry])], of fileID: FileID) {
    guard let peer else { return }
    for introduction in introductions where introduction.member == token {
      for (handle, source) in peer.served where source.fileID == fileID {
        peer.driver.session.announce(peers: introduction.entries, of: handle)
      }
    }
  }

  /// Queues a PROMISED hint: a chunk will be sent to another connection. It leaves at the end of the turn, with other
  /// promises.
  func promised(_ chunk: ChunkIndex, of fileID: FileID, to other: ConnectionToken) {
    guard other != token, let peer else { return }
    for (handle, source) in peer.served where source.fileID == fileID {
      peer.driver.session.announce(promised: [chunk], of: handle)
    }
    if peer.hasHints { loop.enqueue(hinting: self) }
  }

  // MARK: Requests

  /// Decides whether a request is answered with leaves: this node must have them, and the swarm must accept the request
  /// now.
  func admit(_ request: ChunkRequest, of peer: EstablishedPeer) {
    guard holds(request, of: peer), let source = peer.served[request.handle] else {
      return peer.driver.admit(request, .notHere)
    }
    let isTaken =
      loop.context.swarms.accepts(
        request.chunk, of: source.fileID, from: token, isFull: loop.isThrottled, at: loop.now)
      && peer.driver.mayHash(request.wantsLeafHashes ? source.bytesToHash(for: request.chunk) : 0, at: loop.now)
    if isTaken { fetchWatch?.asked(request.leaves, of: request.chunk, in: source.fileID, by: peer.id) }
    peer.driver.admit(request, isTaken ? .yes : .notNow)
  }

  /// Returns whether this node has the leaves. A served file is complete; the session refuses a handle that is not
  /// open.
  private func holds(_ request: ChunkRequest, of peer: EstablishedPeer) -> Bool {
    switch peer.served[request.handle] {
    case .download(let share)?: share.offers(request.leaves, of: request.chunk)
    case .contents(let contents)?: contents.offers(request.leaves, of: request.chunk)
    case .entry?, .listing?, nil: true
    }
  }

  /// Announces to the other peers of the file that a chunk will be sent on this connection.
  func promise(_ chunk: ChunkIndex, of handle: FileHandle, to peer: EstablishedPeer) {
    guard let source = peer.served[handle], loop.context.swarms.promise(chunk, of: source.fileID, to: token) else {
      return
    }
    loop.context.sendToAllLoops(.promised(source.fileID, chunk, to: token))
  }

  /// Ends the promise of a chunk: the peer waits for no more leaves of it.
  func settlePromise(of chunk: ChunkIndex, in handle: FileHandle, to peer: EstablishedPeer) {
    guard let source = peer.served[handle], let layout = source.completeLayout else { return }
    loop.context.swarms.settle(chunk, of: source.fileID, token, leafCount: layout.leafCount(of: chunk))
  }

  /// Counts leaves of a chunk that were sent.
  func sent(_ piece: UploadPiece, byteCount: Int, to peer: EstablishedPeer) {
    let isSettled = peer.driver.sent(piece, byteCount: byteCount, at: loop.now)
    peer.uploads[piece.handle]?.byteCount += UInt64(byteCount)
    guard let source = peer.served[piece.handle] else { return }
    fetchWatch?.sent(piece.leaves, of: piece.chunk, in: source.fileID, to: peer.id)
    guard source.completeLayout != nil else { return }
    loop.context.swarms.sent(piece.leaves.count, of: piece.chunk, of: source.fileID, to: token)
    if isSettled { settlePromise(of: piece.chunk, in: piece.handle, to: peer) }
  }

  /// Reports to the swarm that the next piece waits to be sent, or that none waits. Returns true if it goes before
  /// chunks that were promised to other peers. A page does so once.
  func noteWaiting(_ peer: EstablishedPeer) -> Bool {
    let next = peer.driver.session.nextPieceChunk
    let source = next.flatMap { peer.served[$0.handle] }
    if let fileID = peer.waitsFor, fileID != source?.fileID { loop.context.swarms.rests(fileID, token) }
    peer.waitsFor = source?.fileID
    guard let next, let source else { return !peer.driver.session.isNextPageRepeated }
    return loop.context.swarms.waits(
      for: next.chunk, of: source.fileID, token, isFull: loop.isThrottled, at: loop.now)
  }
}
