// Announcements of peers: the chunks that they have, the chunks that they promised to others, and other peers.
import Content
import Wire

extension DownloadState {
  mutating func learn(_ id: ConnectionID, _ runs: [LeafRun], at now: Instant) {
    guard let number = connections.peer(of: id) else { return }
    for run in runs { learn(run, of: number, on: id) }
    if timers[.noPeers] != nil { updateUsability(at: now) }
  }

  mutating func learn(_ id: ConnectionID, _ bitmap: Bitmap, at now: Instant) {
    guard let number = connections.peer(of: id) else { return }
    let gains = connections[existing: id].learn(bitmap)
    if gains.isEmpty { return }
    for gain in gains where gain.first != 0 { chunks.addCopies(of: gain.first, inWord: gain.word) }
    peers[number].exhaustedAt = 0
    if timers[.noPeers] != nil { updateUsability(at: now) }
  }

  private mutating func learn(_ run: LeafRun, of number: Int, on id: ConnectionID) {
    switch connections[existing: id].learn(run, layout: chunks.layout) {
    case .nothing: return
    case .first: chunks.addCopy(of: run.chunk)
    case .more: break
    }
    peers[number].exhaustedAt = 0
  }

  /// Learns the chunks that the peer promised to other peers. While the peer is connected they count as copies.
  mutating func learn(_ id: ConnectionID, promised: [ChunkIndex]) {
    guard connections.peer(of: id) != nil else { return }
    hasMetSharers = true
    // Moved out and changed without a copy: one frame names thousands of chunks.
    var known = connections[existing: id].promised.take() ?? ChunkSet(capacity: chunks.layout.chunkCount)
    for chunk in promised where chunks.layout.contains(chunk) {
      if known.insert(Int(chunk.rawValue)) { chunks.addCopy(of: chunk) }
    }
    connections[existing: id].promised = known
  }

  /// Takes the peers that a peer names as hints, except those whose addresses this node cannot reach.
  mutating func learn(_ id: ConnectionID, peers: [PeerExchange.Entry]) {
    guard settings.hears, let connection = connections[id], let source = connection.peerID else { return }
    guard let reach = connection.ip.flatMap({ AddressReach($0) }) else { return }
    let told = peers.filter { entry in
      entry.port != 0 && connections.id(of: entry.peer) == nil && AddressReach(entry.ip)?.isOfUse(to: reach) == true
    }
    book.hear(
      told.map { (PeerAddress(ip: $0.ip, port: $0.port), $0.peer) },
      from: PeerBook.Source(peer: source, group: connection.group))
  }

  /// Stops counting the peer's chunks and promises as copies.
  mutating func forgetCopies(of connection: Connection) {
    for set in [connection.availability?.chunks, connection.promised] {
      guard let set else { continue }
      for word in 0..<set.wordCount where set.word(word) != 0 { chunks.removeCopies(of: set.word(word), inWord: word) }
    }
    guard let partial = connection.availability?.partial else { return }
    for chunk in partial.keys {
      chunks.removeCopies(of: 1 << UInt64(chunk.rawValue & 63), inWord: Int(chunk.rawValue) >> 6)
    }
  }

  /// Whether the download has met other downloads of the file.
  var isSharing: Bool { settings.shares && hasMetSharers }

  /// Whether other downloads trade chunks of the file with this one. Then ties between chunks are broken at random, so
  /// that the downloads do not all ask for the same chunks.
  var isTrading: Bool {
    guard settings.shares, settings.order == .rarestFirst else { return false }
    return hasMetSharers || chunks.haveCount < DownloadState.randomFirstChunks
  }
}
