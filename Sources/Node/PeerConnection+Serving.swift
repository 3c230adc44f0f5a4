// What the peer asks of us. A peer learns nothing of a file that it cannot prove to know.
import Content
import Posix
import Storage
import Transfer
import Wire

extension PeerConnection {
  // MARK: Opening

  func answer(_ open: Open) {
    // Asked before looking: a scan that ends in between says so by a command that is still to come.
    let isScanning = loop.context.isScanning
    if let file = find(open) {
      offer(file, as: open.handle)
    } else if isScanning, pendingOpens.count < ProtocolLimits.openFilesMax {
      pendingOpens.append(open)  // it may be among the files that are still being hashed
    } else {
      refuse(open.handle, .noSuchFile)
    }
  }

  /// More files are served than before, or the scan is over: looks again for those that were asked for.
  func catalogueChanged() {
    guard isEstablished, !isFinishing, !pendingOpens.isEmpty else { return }
    let opens = pendingOpens
    pendingOpens = []
    for open in opens where !isClosed && !isFinishing { answer(open) }
    guard !isClosed else { return }
    flush()
    if !isClosed { settle() }
  }

  private func find(_ open: Open) -> CatalogueEntry? {
    let context = loop.context
    return context.catalogue?.candidates(bucket: open.bucket).first { entry in
      let key = FileKey(entry.fileID, swarm: context.swarmKey)
      return FileKey.matches(open.proof, due: key.openProof(handshakeHash, sender: role.other))
    }
  }

  private func offer(_ entry: CatalogueEntry, as handle: FileHandle) {
    do throws(PeerFault) {
      guard try upload.open(handle, entry.layout) == .opened else { return refuse(handle, .tooManyFilesOpen) }
    } catch {
      return close(ConnectionEnd(error))
    }
    served[handle] = entry
    let key = FileKey(entry.fileID, swarm: loop.context.swarmKey)
    send(
      .opened(
        Opened(
          handle: handle,
          outcome: .opened(
            OfferedFile(
              proof: key.haveProof(handshakeHash, sender: role), kind: ContentKind.file.rawValue,
              length: entry.length, root: entry.tree.root,
              chunkSizeLog2: UInt8(ChunkLayout.wireChunkSize.trailingZeroBitCount),
              availability: .complete, suggestedName: entry.name)))))
    if let peerID { loop.context.report(.opened(peerID, address, path: entry.path)) }
  }

  private func refuse(_ handle: FileHandle, _ refusal: Opened.Refusal) {
    send(.opened(Opened(handle: handle, outcome: .refused(refusal))))
  }

  // MARK: Pages and requests

  /// Pages wait for their turn like pieces do: a page is long, and asking for one is short.
  func accept(_ get: PageGet) {
    guard let entry = served[get.handle] else { return unknown(get.handle) }
    guard entry.tree.pages.contains(PageIndex(get.page)) else {
      return close(.violation("page \(get.page) of a file that has fewer"))
    }
    guard pendingPages.count < ProtocolLimits.requestsInFlightMax else {
      return close(.violation("more than \(ProtocolLimits.requestsInFlightMax) pages asked for at a time"))
    }
    pendingPages.append(get)
  }

  /// Sends the next page that was asked for. False: none was.
  func sendPage() -> Bool {
    guard !pendingPages.isEmpty else { return false }
    let get = pendingPages.removeFirst()
    if let page = served[get.handle]?.tree.page(PageIndex(get.page)) {
      send(.page(PageAnswer(handle: get.handle, page: get.page, chunkHashes: page.chunkHashes, uncles: page.uncles)))
    }
    return true
  }

  func accept(_ request: ChunkRequest) {
    if isShuttingDown {
      if served[request.handle] != nil { send(.busy(Busy(id: request.id, retryAfterMilliseconds: 60_000))) }
      return
    }
    do throws(PeerFault) {
      let verdict = try upload.accept(
        request.id, request.handle, chunk: request.chunk, firstLeaf: request.leaves.first,
        leafCount: request.leaves.count, wantsLeafHashes: request.wantsLeafHashes)
      switch verdict {
      case .queued: break
      case .busy: send(.busy(Busy(id: request.id, retryAfterMilliseconds: 1_000)))
      case .void: break  // for a file that was withdrawn meanwhile
      }
    } catch {
      close(ConnectionEnd(error))
    }
  }

  func accept(cancelOf id: RequestID) { upload.cancel(id) }

  /// A handle that is not open: of a file that was withdrawn while the peer asked, or the peer's mistake.
  private func unknown(_ handle: FileHandle) {
    if !upload.wasWithdrawn(handle) { close(.violation("a handle that is not open")) }
  }

  // MARK: Withdrawing

  /// A file turned out to be no longer what it was: nothing more of it is sent, to anybody.
  func withdraw(_ handle: FileHandle, because error: StoredFileError) {
    guard let entry = served.removeValue(forKey: handle) else { return }
    upload.withdraw(handle)
    let reason: Withdrawn.Reason
    switch error {
    case .changed: reason = .changed
    case .removed: reason = .removed
    case .unreadable: reason = .unreadable
    case .busy: preconditionFailure("a shortage withdraws nothing")
    }
    loop.context.catalogue?.withdraw(entry)
    send(.withdrawn(Withdrawn(handle: handle, reason: reason)))
    loop.context.report(.withdrawn(path: entry.path, "\(error)"))
  }
}
