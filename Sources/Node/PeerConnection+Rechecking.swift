// A peer that says "bad data" may be right: what it was sent is looked at again.
import Content
import Transfer
import Wire

extension PeerConnection {
  /// The connection ends, and its handles still are what they were. If its peer says that it was sent wrong data, the
  /// chunks that it was sent last are checked.
  func recheckSent(after end: ConnectionEnd) {
    guard case .there = end, let chunks = driver?.chunksToRecheck else { return }
    let items = chunks.compactMap { handle, chunk -> Rechecker.Item? in
      switch served[handle] {
      case .entry(let entry)?: Rechecker.Item(.path(entry.path), chunk)
      case .download?: Rechecker.Item(.download, chunk)
      case nil: nil
      }
    }
    if !items.isEmpty { loop.context.rechecker.ask(items, from: group, loop.context) }
  }
}
