// Changes of the files that a peer has open: they are replaced or withdrawn, and a download offers more of its file.
import Content
import Storage
import Transfer
import Wire

extension PeerConnection {
  // MARK: Files of the catalogue

  /// A file has changed. Another one with the same bytes takes its place; if there is none, the handle is gone.
  func withdraw(_ handle: FileHandle, of peer: EstablishedPeer, because error: StoredFileError) {
    switch peer.served[handle] {
    case .entry(let entry)?:
      loop.context.withdraw(entry, because: error)
      replace(handle, of: entry, at: peer, orSay: Withdrawn.Reason(error))
      performSession()
    case .download(let share)?:
      loop.context.withdraw(share, because: error)
      withdrawDownload(because: Withdrawn.Reason(error))
    case nil: break
    }
  }

  /// An entry is no longer served. The peer may have it open.
  func withdraw(_ entry: CatalogueEntry, because reason: Withdrawn.Reason) {
    guard let peer else { return }
    let handles = peer.served.filter { if case .entry(let other) = $0.value { other === entry } else { false } }.keys
    guard !handles.isEmpty else { return }
    for handle in handles { replace(handle, of: entry, at: peer, orSay: reason) }
    command { _ in }
  }

  private func replace(
    _ handle: FileHandle, of entry: CatalogueEntry, at peer: EstablishedPeer, orSay reason: Withdrawn.Reason
  ) {
    if let other = loop.context.catalogue?.entry(entry.fileID) {
      peer.served[handle] = .entry(other)
      record?.open(handle, path: other.path)
    } else {
      peer.served[handle] = nil
      record?.open(handle, path: nil)
      loop.context.swarms.leave(entry.fileID, token, at: loop.now)
      peer.driver.session.withdraw(handle, reason)
    }
  }

  // MARK: The file of a download

  /// More leaves of the download's file are offered.
  func announce(_ runs: [LeafRun]) {
    guard let peer else { return }
    for handle in peer.downloadHandles { peer.driver.session.announce(runs, of: handle) }
    if peer.hasHints { loop.enqueue(hinting: self) }
  }

  /// The download's file is offered no more: requests for it are void, which counts as no failure of the peer.
  func withdrawDownload(because reason: Withdrawn.Reason = .notOffered) {
    guard let peer, !peer.served.isEmpty else { return }
    for handle in peer.downloadHandles {
      if let source = peer.served.removeValue(forKey: handle) {
        loop.context.swarms.leave(source.fileID, token, at: loop.now)
      }
      record?.open(handle, path: nil)
      peer.driver.session.withdraw(handle, reason)
    }
    performSession()
  }
}

extension EstablishedPeer {
  fileprivate var downloadHandles: [FileHandle] {
    served.filter { if case .download = $0.value { true } else { false } }.map(\.key)
  }
}
