// Loads of messages: small ones, endless ones, and requests for more than a fair share.
import Content
import Glibc
import Posix
import TestSupport
import Wire

extension Load {
  /// Sends frames that `make` makes, at most `bytesPerSecond`, until the other end closes.
  fileprivate func stream(
    _ peer: ScriptedPeer, bytesPerSecond: Int, countEach: Int, _ make: (Int) -> [UInt8]
  ) throws {
    var sent = 0
    let began = Clock.seconds
    var round = 0
    while !isOver {
      let records = peer.seal(make(round))
      round += 1
      var start = 0
      while start < records.count, !isOver {
        let taken = try peer.socket.sendUntilStuck(Array(records[start...]), patienceMilliseconds: 50)
        start += taken
        _ = try peer.socket.discardReceived()
      }
      count.add(countEach)
      sent += records.count
      let due = began + Double(sent) / Double(bytesPerSecond)
      while Clock.seconds < due, !isOver {
        _ = try peer.socket.discardReceived()
        pause(milliseconds: Int32(min(20, max(1, (due - Clock.seconds) * 1_000))))
      }
    }
  }
}

private func repeated(_ frame: [UInt8], bytes: Int) -> [UInt8] {
  (0..<max(1, bytes / frame.count)).flatMap { _ in frame }
}

/// OPENs of files that nobody has, each with its own handle.
private func missingOpens(_ count: Int, round: Int = 0) -> [UInt8] {
  (0..<count).flatMap { i in
    Message.open(
      Open(handle: FileHandle(UInt32(truncatingIfNeeded: round * count + i)), bucket: UInt16(i), proof: .zero)
    ).frame
  }
}

/// Connections that stream new frames from `make`. With `opens`, each opens the file first.
private func streams(
  _ connections: Int, opens: Bool = false, bytesPerSecond: Int, countEach: Int,
  _ make: @escaping @Sendable (ScriptedPeer, HostileFile, _ round: Int) -> [UInt8]
) -> ServerLoad.Start {
  { bench, target, file in
    let sources = bench.crowdAddresses()
    let load = Load(threads: connections) { load, i in
      load.again(pausing: 20) {
        let peer = try established(target, from: sources[i % sources.count])
        if opens { _ = try peer.open(file.fileID) }
        load.ready.add()
        try load.stream(peer, bytesPerSecond: bytesPerSecond, countEach: countEach) { make(peer, file, $0) }
      }
    }
    load.awaitReady(connections, within: 10)
    return load
  }
}

/// Connections that stream PINGs, `bytesEach` at a time.
private func pings(_ connections: Int, bytesPerSecond: Int, bytesEach: Int) -> ServerLoad.Start {
  let ping = Message.ping(1).frame
  let frames = repeated(ping, bytes: bytesEach)
  return streams(connections, bytesPerSecond: bytesPerSecond, countEach: frames.count / ping.count) { _, _, _ in frames
  }
}

let messageLoads: [ServerLoad] = [
  ServerLoad(
    name: "PINGs on 2 connections", promise: "PINGs slow nobody else",
    start: pings(2, bytesPerSecond: 8_000_000, bytesEach: 60_000)),
  ServerLoad(
    name: "PINGs on 300 connections", promise: "PINGs slow nobody else, and handshakes go on",
    start: pings(300, bytesPerSecond: 100_000, bytesEach: 4_000)),
  ServerLoad(
    name: "a PING a record on 2 connections", promise: "PINGs slow nobody else",
    start: pings(2, bytesPerSecond: 1_500_000, bytesEach: 13)),
  ServerLoad(
    name: "OPENs that miss on 2 connections", promise: "OPENs that miss slow nobody else",
    start: streams(2, bytesPerSecond: 8_000_000, countEach: 1_300) { missingOpens(1_300, round: $2) }),
  ServerLoad(
    name: "OPENs that miss, 64 a connection", promise: "OPENs that miss slow nobody else",
    start: { bench, target, _ in
      let sources = bench.crowdAddresses()
      let opens = missingOpens(64)
      let load = Load(threads: 4) { load, i in
        load.again {
          let peer = try established(target, from: sources[i])
          load.ready.add()
          try peer.send(frames: opens)
          peer.socket.delay(milliseconds: 5)
          load.count.add(64)
        }
      }
      load.awaitReady(4, within: 10)
      return load
    }),
  ServerLoad(
    name: "requests without end on one connection", promise: "a million requests cost no memory",
    start: streams(1, opens: true, bytesPerSecond: 8_000_000, countEach: 1_000) { peer, file, _ in
      (0..<1_000).flatMap { peer.requestMessage(UInt32($0 % file.chunkCount), count: 1).frame }
    }, wanted: (100_000, 1_000_000, 60)),
  ServerLoad(
    name: "requests and CANCELs without end", promise: "requests that are cancelled cost no memory",
    start: streams(1, opens: true, bytesPerSecond: 8_000_000, countEach: 1_000) { peer, file, round in
      (0..<1_000).flatMap { i in
        let id = RequestID(UInt32(truncatingIfNeeded: round * 1_000 + i + 1))
        return peer.requestMessage(UInt32(i % file.chunkCount), count: 64).frame + Message.cancel(id).frame
      }
    }),
  ServerLoad(
    name: "requests and CANCELs, with the answers read",
    promise: "a peer that takes back its requests without end gets BUSY for them",
    start: { bench, target, file in
      let source = bench.crowdAddresses()[0]
      let load = Load { load in
        load.again(pausing: 20) {
          let peer = try established(target, from: source)
          _ = try peer.open(file.fileID)
          load.ready.add()
          while !load.isOver { load.count.add(try askAndCancel(1_000, peer, file)) }
        }
      }
      load.awaitReady(1, within: 10)
      return load
    }, wanted: (20_000, 200_000, 60), isWantedDone: true),
  ServerLoad(
    name: "50 greedy connections of one address", promise: "upload is fair per address, not per connection",
    start: { bench, target, file in
      let source = bench.crowdAddresses()[0]
      let load = Load { load in
        load.again(pausing: 20) { try greed(load, (0..<50).map { _ in try established(target, from: source) }, file) }
      }
      load.awaitReady(50, within: 10)
      return load
    }),
]

/// Asks for chunks and takes each request back at once. Returns how many were answered BUSY.
private func askAndCancel(_ count: Int, _ peer: ScriptedPeer, _ file: HostileFile) throws -> Int {
  var frames: [UInt8] = []
  for i in 0..<count {
    let message = peer.requestMessage(UInt32(i % file.chunkCount), count: 64, hashes: true)
    guard case .request(let request) = message else { continue }
    frames += message.frame + Message.cancel(request.id).frame
  }
  try peer.send(frames: frames + Message.ping(1).frame)
  var busy = 0
  while true {
    switch try peer.receive().message {
    case .busy: busy += 1
    case .pong: return busy
    default: break
    }
  }
}

/// Peers that always have 16 MiB requested, and drop what arrives.
private func greed(_ load: Load, _ peers: [ScriptedPeer], _ file: HostileFile) throws {
  var asked = Array(repeating: 0, count: peers.count)
  var received = Array(repeating: 0, count: peers.count)
  for peer in peers {
    _ = try peer.open(file.fileID)
    load.ready.add()
  }
  while !load.isOver {
    for (i, peer) in peers.enumerated() {
      let wanted = received[i] >> 20 + 16 - asked[i]
      if wanted > 0 {
        let first = asked[i]
        try peer.send(
          frames: (first..<first + wanted).flatMap {
            peer.requestMessage(UInt32($0 % file.chunkCount), count: 64).frame
          })
        asked[i] += wanted
      }
      let dropped = try peer.socket.discardReceived()
      received[i] += dropped
      load.count.add(dropped >> 14)
    }
    var waits = peers.map { pollfd(fd: $0.socket.number, events: Int16(POLLIN), revents: 0) }
    poll(&waits, nfds_t(waits.count), 50)
  }
}
