// Strangers that take all slots of a download, or all places of its address book, while its source is away.
import Content
import Glibc
import Posix
import TestSupport
import Wire

extension Case {
  static let eclipses: [Case] = [
    Case(
      "get eclipse: 60 strangers take all places",
      "a source that the user named is dialled again although strangers and hinted peers fill all connections",
      size: .many
    ) { bench in
      try bench.eclipse(strangers: 60, hinted: 60, pages: 0)
    },
    Case(
      "get eclipse: 60 strangers of one address",
      "a source that the user named is dialled again although strangers fill all connections", size: .many
    ) { bench in
      try bench.eclipse(strangers: 60, hinted: 0, pages: 0, areOneAddress: true)
    },
    Case(
      "get eclipse: a full address book",
      "an address that the user named is never dropped for hinted ones", size: .many
    ) { bench in
      try bench.eclipse(strangers: 9, hinted: 0, pages: 30)
    },
    Case(
      "get crowd: thousands of PeerIDs",
      "peers that delivered nothing are one row of the statistics, and memory stays flat", size: .many
    ) { bench in
      try bench.crowd()
    },
  ]
}

extension Manner {
  /// Returns a peer that stays, has nothing, and announces others.
  fileprivate static func teller(of others: [PeerExchange.Entry] = []) -> Manner {
    Manner("a teller") { manner in
      manner.onOpen = { talk, _ in
        try talk.offer(.partial)
        for start in stride(from: 0, to: others.count, by: ProtocolLimits.peersMax) {
          let entries = Array(others[start..<min(start + ProtocolLimits.peersMax, others.count)])
          try talk.send(.peers(PeerExchange(handle: talk.handle, entries: entries)))
        }
      }
    }
  }
}

extension Array {
  /// Returns one of `parts` slices of about the same size.
  fileprivate func slice(_ part: Int, of parts: Int) -> [Element] {
    Array(self[part * count / parts..<(part + 1) * count / parts])
  }
}

extension Bench {
  /// The honest source goes away for a second while others hold all slots.
  fileprivate func eclipse(strangers: Int, hinted: Int, pages: Int, areOneAddress: Bool = false) throws -> Outcome {
    let size = Size.many
    let reference = try size.reference(self)
    let file = size.sample.file
    let honest = try serveHonestly(size, home: "honest")
    let hints = try (0..<hinted).map { i in
      var manner = Manner.teller()
      manner.isFresh = false
      return try HostileSource(at: address(UInt8(20 + i)), file, manner)
    }
    for source in hints { atEnd { source.stop() } }
    let others = hints.map { PeerExchange.Entry(ip: $0.address.ip, port: $0.address.port, peer: $0.peerID) }
    let poison = pages == 0 ? [] : try poison(sparing: honest)
    let tellers = try (0..<4).map { i in
      try HostileSource(at: address(UInt8(10 + i)), file, .teller(of: poison + others.slice(i, of: 4)))
    }
    for source in tellers { atEnd { source.stop() } }

    let getting = try get(file, from: [honest.peer] + tellers.map(\.peer))
    guard let listener = getting.listener() else { throw Missing("get does not listen: \(getting.ending)") }
    // Hints are followed while there are few connections, so the strangers that take the other slots come later.
    let hinting = Clock.seconds + 1
    while hinted > 0, Clock.seconds < hinting, hints.reduce(0, { $0 + $1.connections }) < 11 { pause(milliseconds: 5) }
    for i in 0..<strangers {
      let stranger = Stranger(from: address(areOneAddress ? 100 : UInt8(100 + i)), to: listener, file, .teller())
      atEnd { stranger.stop() }
    }
    // Once half of the file has arrived, the strangers have their slots.
    let deadline = Clock.seconds + 20
    while Clock.seconds < deadline, getting.child.out.count(of: #"{"event":"chunk","#) < 32, !getting.child.look() {
      pause(milliseconds: 5)
    }
    honest.child.end()
    _ = getting.child.wait(within: 1)
    let back = try serveHonestly(size, at: honest.peer, home: "honest")
    // The outage of a second, the start of the server, and a redial after a few seconds of backoff.
    let pardonSeconds = 8.0
    _ = getting.child.wait(within: 30)
    var outcome = judge(getting, reference, back, pardonSeconds: pardonSeconds)
    outcome.note += " \(hints.reduce(0) { $0 + $1.connections }) hinted connections"
    return outcome
  }

  /// Strangers arrive as thousands of PeerIDs, open the file and leave.
  fileprivate func crowd() throws -> Outcome {
    let size = Size.many
    let reference = try size.reference(self)
    let file = size.sample.file
    let honest = try serve(size.sample.folder, ["--upload-limit", settings.isLong ? "1M" : "8M"])
    let getting = try get(file, from: [honest.peer])
    guard let listener = getting.listener() else { throw Missing("get does not listen: \(getting.ending)") }
    let strangers = (0..<9).map { Stranger(from: address(UInt8(100 + $0)), to: listener, file, .cut(at: .opened)) }
    for stranger in strangers { atEnd { stranger.stop() } }
    _ = getting.child.wait(within: 120)
    var outcome = Outcome()
    outcome.took = getting.seconds
    outcome.expect(getting.isRight, getting.ending)
    outcome.measured(memory: max(0, getting.child.peakBytes - reference.peakBytes))
    let lines = getting.child.out.split(separator: "\n")
    let done = lines.last { $0.contains(#""event":"done""#) || $0.contains(#""event":"failed""#) } ?? ""
    let connections = strangers.reduce(0) { $0 + $1.connections }
    outcome.expect(done.utf8.count <= 8 << 10, "the last line has \(done.utf8.count >> 10) KiB")
    outcome.note = "\(connections) connections, last line \(done.utf8.count) bytes"
    return outcome
  }
}

extension String {
  /// Counts the occurrences of a text, without overlap.
  func count(of part: String) -> Int { ranges(of: part).count }
}
