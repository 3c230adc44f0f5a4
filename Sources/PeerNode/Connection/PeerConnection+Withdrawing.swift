// Changes of files that a peer has open: replaces or withdraws them, and announces new leaves of a download.
import Content
import Storage
import Transfer
import Wire

extension PeerConnection {
  // MARK: Files of the catalogue

  /// Withdraws a file that has changed. Another one with the same bytes takes its place; without one, the handle is
  /// withdrawn.
  func withdraw(_ handle: FileHandle, of peer: EstablishedPeer, because error: StoredFileError) {
    switch peer.served[handle] {
    case .entry(let entry, let folder)?:
      loop.context.withdraw(entry, of: folder, because: error)
      replace(handle, of: entry, at: peer, orSay: Withdrawn.Reason(error))
      performSession()
    case .download(let share)?:
      // Read first, since the download may end because of the error.
      let reason = share.hasLeft ? .notOffered : Withdrawn.Reason(error)
      loop.context.withdraw(share, because: error)
      withdraw(share, because: reason)
    case .contents?, .listing?:
      // The peer opens the contents again, without the file that is gone.
      withdraw(handle, of: peer, because: .changed)
      performSession()
    case nil: break
    }
  }

  /// Withdraws a folder that is no longer served. Another folder may serve the same bytes as an open file.
  func withdraw(_ folder: FolderShare) {
    guard let peer else { return }
    let sources = peer.served.filter { $0.value.folder === folder }
    guard !sources.isEmpty else { return }
    for (handle, source) in sources {
      if case .entry(let entry, _) = source {
        replace(handle, of: entry, at: peer, orSay: .notOffered)
      } else {
        withdraw(handle, of: peer, because: .notOffered)
      }
    }
    command { _ in }
  }

  /// Replaces or withdraws an entry that is no longer served, if the peer has it open.
  func withdraw(_ entry: CatalogueEntry, because reason: Withdrawn.Reason) {
    guard let peer else { return }
    let handles = peer.served.filter { if case .entry(let other, _) = $0.value { other == entry } else { false } }.keys
    guard !handles.isEmpty else { return }
    for handle in handles { replace(handle, of: entry, at: peer, orSay: reason) }
    command { _ in }
  }

  private func replace(
    _ handle: FileHandle, of entry: CatalogueEntry, at peer: EstablishedPeer, orSay reason: Withdrawn.Reason
  ) {
    if let (other, folder) = loop.context.offered.entry(entry.fileID) {
      serve(.entry(other, folder), as: handle, to: peer)
      record?.open(handle, path: other.path)
    } else {
      serve(nil, as: handle, to: peer)
      record?.open(handle, path: nil)
      loop.context.swarms.leave(entry.fileID, token, at: loop.now)
      peer.driver.session.withdraw(handle, reason)
    }
  }

  // MARK: Files of downloads

  /// Announces further leaves of a download's file.
  func announce(_ runs: [LeafRun], of share: DownloadShare) {
    guard let peer else { return }
    for (handle, other) in peer.servedDownloads where other === share {
      peer.driver.session.announce(runs, of: handle)
    }
    if peer.hasHints { loop.enqueue(hinting: self) }
  }

  /// Withdraws a download's file that is no longer offered. Its pending requests are dropped, which does not count
  /// against the peer.
  func withdraw(_ share: DownloadShare, because reason: Withdrawn.Reason) {
    guard let peer else { return }
    for (handle, other) in peer.servedDownloads where other === share { withdraw(handle, of: peer, because: reason) }
    performSession()
  }

  /// Withdraws all files of downloads before the connection ends. Their pending requests are dropped, which does not
  /// count against the peer.
  func withdrawDownloads(because reason: Withdrawn.Reason = .notOffered) {
    guard let peer, !peer.served.isEmpty else { return }
    for (handle, _) in peer.servedDownloads { withdraw(handle, of: peer, because: reason) }
    performSession()
  }

  private func withdraw(_ handle: FileHandle, of peer: EstablishedPeer, because reason: Withdrawn.Reason) {
    guard let source = peer.served[handle] else { return }
    serve(nil, as: handle, to: peer)
    loop.context.swarms.leave(source.fileID, token, at: loop.now)
    record?.open(handle, path: nil)
    peer.driver.session.withdraw(handle, reason)
  }
}

extension EstablishedPeer {
  /// The files of downloads that the peer has open here.
  fileprivate var servedDownloads: [(FileHandle, DownloadShare)] {
    served.compactMap { if case .download(let share) = $0.value { ($0.key, share) } else { nil } }
  }
}
