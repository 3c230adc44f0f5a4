// A peer that says "bad data" may be right: the chunks that it was sent are checked again.
import Content
import Transfer
import Wire

extension PeerConnection {
  /// Called when the connection ends, before its handles go. If the peer says that it was sent wrong data, the chunks
  /// that it was sent last are checked.
  func recheckSent(after end: ConnectionEnd) {
    guard case .remote = end, let peer else { return }
    let items = peer.driver.chunksToRecheck.compactMap { handle, chunk -> Rechecker.Item? in
      switch peer.served[handle] {
      case .entry(let entry)?: Rechecker.Item(.path(entry.path), chunk)
      case .download?: Rechecker.Item(.download, chunk)
      case nil: nil
      }
    }
    if !items.isEmpty { loop.context.rechecker.ask(items, from: group, loop.context) }
  }
}
