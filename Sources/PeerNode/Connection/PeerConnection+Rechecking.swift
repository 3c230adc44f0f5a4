// A peer that says "bad data" may be right: the chunks that it was sent are checked again.
import Content
import Transfer
import Wire

extension PeerConnection {
  /// Called when the connection ends, before its handles go. If the peer reports wrong data, the chunks that
  /// it got last are checked.
  func recheckSent(after end: ConnectionEnd) {
    guard case .remote = end, let peer else { return }
    let items = peer.driver.chunksToRecheck.compactMap { handle, chunk -> Rechecker.Item? in
      switch peer.served[handle] {
      case .entry(let entry, let folder)?: Rechecker.Item(.path(entry.path, in: ObjectIdentifier(folder)), chunk)
      case .download(let share)?: Rechecker.Item(.download(share.link.fileID), chunk)
      case .contents(let open)?: Rechecker.Item(.contents(open.listing.contentsID), chunk)
      case .listing?, nil: nil  // a listing in memory was hashed when it was read
      }
    }
    if !items.isEmpty { loop.context.rechecker.ask(items, from: group, loop.context) }
  }
}
