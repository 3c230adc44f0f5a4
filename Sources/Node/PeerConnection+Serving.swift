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
    guard let (entry, key) = find(open) else {
      session!.answer(open, isScanning ? .notYet : .noSuchFile)
      return
    }
    let file = ServedFile(key: key, pages: entry.pages, root: entry.root, name: entry.name)
    guard session!.answer(open, .file(file)), let peerID else { return }
    served[open.handle] = entry
    loop.context.report(.opened(peerID, address, path: entry.path))
    joinAudience(of: entry, open.handle, as: peerID)
  }

  // MARK: Others that share the file

  private func joinAudience(of entry: CatalogueEntry, _ handle: FileHandle, as peerID: PeerID) {
    let newcomer = Audiences.Newcomer(member: member, peer: peerID, ip: address.ip, port: listenPort)
    let promised = loop.context.audiences.join(
      entry.fileID, chunkCount: entry.layout.chunkCount, newcomer, at: loop.now)
    session!.announce(promised: promised, of: handle)
    introduce(loop.context.audiences.introductions(of: entry.fileID, to: [member], at: loop.now), of: entry.fileID)
  }

  func leaveAudiences() {
    for entry in served.values { loop.context.audiences.leave(entry.fileID, member) }
  }

  /// Tells the other end of those that share a file.
  func introduce(_ introductions: [(member: Audiences.Member, entries: [PeerExchange.Entry])], of fileID: FileID) {
    for introduction in introductions where introduction.member == member {
      for (handle, entry) in served where entry.fileID == fileID {
        session?.announce(peers: introduction.entries, of: handle)
      }
    }
  }

  /// A chunk will be sent here: the others that share the file learn of it.
  func promise(_ chunk: ChunkIndex, of handle: FileHandle) {
    guard let entry = served[handle], loop.context.audiences.promise(chunk, of: entry.fileID, to: member) else {
      return
    }
    loop.context.tellAllLoops(.promised(entry.fileID, chunk, to: member))
  }

  /// A chunk will be sent to somebody.
  func promised(_ chunk: ChunkIndex, of fileID: FileID, to other: Audiences.Member) {
    guard other != member else { return }
    let handles = served.filter { $0.value.fileID == fileID }.keys
    if !handles.isEmpty {
      command { session in for handle in handles { session.announce(promised: [chunk], of: handle) } }
    }
  }

  /// More files are served than before, or the scan is over.
  func catalogueChanged() { command { $0.lookUpAgain() } }

  private func find(_ open: Open) -> (CatalogueEntry, FileKey)? {
    let context = loop.context
    for entry in context.catalogue?.candidates(bucket: open.bucket) ?? [] {
      let key = FileKey(entry.fileID, swarm: context.swarmKey)
      if session!.isMeant(key, by: open) { return (entry, key) }
    }
    return nil
  }

  // MARK: Withdrawing

  /// A file turned out to be no longer what it was. Another of the same bytes takes its place where there is one, else
  /// the handle is gone.
  func withdraw(_ handle: FileHandle, because error: StoredFileError) {
    guard let entry = served[handle] else { return }
    loop.context.withdraw(entry, because: error)
    replace(handle, of: entry, orSay: Withdrawn.Reason(error))
    performSession()
  }

  /// An entry is no longer served; it may be open here.
  func withdraw(_ entry: CatalogueEntry, because reason: Withdrawn.Reason) {
    let handles = served.filter { $0.value === entry }.keys
    guard !handles.isEmpty else { return }
    guard isEstablished, !isFinishing, !isClosed else { return }
    for handle in handles { replace(handle, of: entry, orSay: reason) }
    command { _ in }
  }

  private func replace(_ handle: FileHandle, of entry: CatalogueEntry, orSay reason: Withdrawn.Reason) {
    if let other = loop.context.catalogue?.entry(entry.fileID) {
      served[handle] = other
    } else {
      served[handle] = nil
      loop.context.audiences.leave(entry.fileID, member)
      session!.withdraw(handle, reason)
    }
  }
}
