// Loads on what a server holds for each peer: its outbox and its slot.
import Content
import Glibc
import Posix
import Sodium
import TestSupport
import Wire

private func announcements(handles: UInt32) -> ServerLoad.Start {
  { bench, target, file in
    let sources = bench.crowdAddresses()
    let silent = try (0..<300).map { i in
      // With a small receive buffer, what the server sends stays in the server.
      let peer = try established(target, from: sources[i % sources.count], listenPort: 9_800, receiveBytes: 4_096)
      try peer.send(frames: (1...handles).flatMap { peer.openMessage(file.fileID, handle: FileHandle($0)).frame })
      return peer.socket
    }
    let load = Load { load in
      defer { _ = silent.count }
      load.again {
        let peer = try established(target, from: sources[load.count.value % sources.count], listenPort: 9_800)
        _ = try peer.open(file.fileID)
        try peer.send(frames: (0..<64).flatMap { peer.requestMessage(UInt32($0), count: 64).frame })
        // Leaves once its chunks have been promised to it.
        while true {
          if case .data = try peer.receive().message { break }
        }
        load.count.add()
        load.ready.add()
      }
    }
    load.awaitReady(1, within: 10)
    return load
  }
}

let announcementLoads: [ServerLoad] = [
  ServerLoad(
    name: "300 never read, one asks for 64 chunks and leaves", promise: "announcements never make an outbox grow",
    start: announcements(handles: 1), wanted: (500, 3_000, 60)),
  ServerLoad(
    name: "300 never read 64 handles each, one asks and leaves",
    promise: "one content has one handle on a connection, and announcements never make an outbox grow",
    start: announcements(handles: 64), wanted: (500, 3_000, 60)),
]

/// Connections that complete the handshake and stay. If they are closed, they come again.
private func holders(
  _ count: Int, from sources: [[UInt8]], as identity: (@Sendable () -> StaticIdentity)?, opening isOpening: Bool
) -> ServerLoad.Start {
  { bench, target, file in
    let sources = sources.isEmpty ? bench.crowdAddresses() : sources
    let usual = StaticIdentity.random()
    let threads = 4
    let load = Load(threads: threads) { load, _ in
      var peers: [ScriptedPeer?] = Array(repeating: nil, count: count / threads)
      while !load.isOver {
        for i in peers.indices where !load.isOver {
          if let peer = peers[i] {
            do { _ = try peer.socket.discardReceived() } catch { peers[i] = nil }
            continue
          }
          let source = sources[i % sources.count]
          guard let peer = try? established(target, from: source, as: identity?() ?? usual, listenPort: 9_800)
          else { continue }
          if isOpening { try? peer.send(peer.openMessage(file.fileID)) }
          peers[i] = peer
          load.count.add()
        }
        load.ready.add()
        pause(milliseconds: 50)
      }
    }
    load.awaitReady(threads, within: 20)
    return load
  }
}

let slotLoads: [ServerLoad] = [
  ServerLoad(
    name: "one PeerID takes all places", promise: "a PeerID has at most 4 connections",
    start: holders(1_100, from: [Endpoint.loopback(0, last: 77).ip], as: nil, opening: false)),
  ServerLoad(
    name: "one PeerID takes all places with open files", promise: "a PeerID has at most 4 connections",
    start: holders(1_100, from: [Endpoint.loopback(0, last: 77).ip], as: nil, opening: true)),
  ServerLoad(
    name: "one address takes all places",
    promise: "above 75 % a newcomer of a less represented address displaces one of the most represented address",
    start: holders(1_100, from: [Endpoint.loopback(0, last: 77).ip], as: { .random() }, opening: false)),
  ServerLoad(
    name: "one address takes all places with open files",
    promise: "above 75 % a newcomer of a less represented address displaces one of the most represented address",
    start: holders(1_100, from: [Endpoint.loopback(0, last: 77).ip], as: { .random() }, opening: true)),
  ServerLoad(
    name: "100 addresses take all places", promise: "above 75 % a newcomer of a less represented address gets in",
    start: holders(1_100, from: [], as: { .random() }, opening: true)),
]
