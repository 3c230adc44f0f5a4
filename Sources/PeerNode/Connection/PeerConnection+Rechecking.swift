// If a peer reports bad data, checks the chunks again that it was sent.
import Content
import Transfer
import Wire

extension PeerConnection {
  /// Queues the chunks that the peer was sent last for a check, if the peer ended the connection because of bad data.
  /// Called before the handles are released.
  func recheckSent(after end: ConnectionEnd) {
    guard case .remote = end, let peer else { return }
    let items = peer.driver.chunksToRecheck.compactMap { handle, chunk -> Rechecker.Item? in
      switch peer.served[handle] {
      case .entry(let entry, let folder)?: Rechecker.Item(.path(entry.path, in: ObjectIdentifier(folder)), chunk)
      case .download(let share)?: Rechecker.Item(.download(share.link.fileID), chunk)
      case .contents(let open)?: Rechecker.Item(.contents(open.listing.contentsID), chunk)
      case .listing?, nil: nil  // a listing in memory was verified when it was read
      }
    }
    if !items.isEmpty { loop.context.rechecker.ask(items, from: group, loop.context) }
  }
}
