// Downloads from one honest source beside hostile peers of one kind: named by the user, hinted, or strangers.
import Content
import Glibc
import Posix
import Sodium
import TestSupport
import Wire

/// How hostile peers reach a download.
enum Place: String, Sendable, CaseIterable {
  /// The user named them with `--peer`.
  case named
  /// They dial the downloader.
  case inbound
  /// A peer that the user named gives their addresses.
  case hinted
}

extension Case {
  static let downloads: [Case] =
    Manner.all.flatMap { manner in
      [Size.one, .many, .pages].flatMap { size in
        [1, 4, 9].map { count in
          let isShort = size == .many && count == 4 || size == .one && count == 9
          return download(manner, size, count, .named, isLong: !isShort)
        }
      }
    }

  /// The manners that help strangers most, with each count of strangers. All other manners run in the long form only.
  static let strangers: [Case] =
    [Place.inbound, .hinted].flatMap { place in
      Manner.all.flatMap { manner in
        [(Size.many, 1), (.many, 4), (.many, 9), (.one, 9), (.pages, 9)].map { size, count in
          let isShort =
            size == .many && shortStrangers.contains(manner.name) && (place == .inbound ? count != 4 : count == 9)
          return download(manner, size, count, place, isLong: !isShort)
        }
      }
    }

  private static let shortStrangers: Set = [
    "wrong leaf", "cut at REQUEST", "cut at PAGE_GET", "deaf to REQUEST", "silence at PAGE_GET", "silence at OPEN",
    "the last chunk alone, cut at PAGE_GET", "the last chunk alone, cut at REQUEST", "BUSY for 300 ms",
    "1 byte/s of DATA", "poisoned PEERS", "a flood of HAVE",
  ]

  private static func download(_ manner: Manner, _ size: Size, _ count: Int, _ place: Place, isLong: Bool) -> Case {
    Case(
      "get \(size.rawValue)x\(count) \(place.rawValue): \(manner.name)",
      "one honest source is enough: 1.5 times its time alone, and 2 s for each round that is lost",
      isLong: isLong, isAlone: size == .pages, size: size
    ) { try $0.download(besides: manner, size, count, place) }
  }
}

extension Bench {
  fileprivate func download(besides manner: Manner, _ size: Size, _ count: Int, _ place: Place) throws -> Outcome {
    let reference = try size.reference(self)
    let file = size.sample.file
    let honest = try serveHonestly(size)
    let poison = try poison(sparing: honest)
    var manner = manner
    // An address from PEERS is dialled for one PeerID only.
    if place == .hinted { manner.isFresh = false }
    var peers = [honest.peer]
    if place != .inbound {
      let sources = try (0..<count).map { i in
        try HostileSource(at: address(UInt8(10 + i)), file, manner, others: { poison })
      }
      for source in sources { atEnd { source.stop() } }
      // Where the order counts, hostile peers come first.
      peers = place == .named ? sources.map(\.peer) + peers : try [introducer(of: sources, file).peer] + peers
    }
    let getting = try get(file, from: peers)
    let startedAt = Clock.seconds
    if place == .inbound, let listener = getting.listener() {
      for i in 0..<count {
        let stranger = Stranger(from: address(UInt8(100 + i)), to: listener, file, manner, others: { poison })
        atEnd { stranger.stop() }
      }
    }
    let limit = 1.5 * reference.seconds + Double(2 * (count + 1)) + 12
    _ = getting.child.wait(within: limit - (Clock.seconds - startedAt))
    return judge(getting, reference, honest)
  }

  /// Compares the end of a download with the promise.
  func judge(_ getting: Getting, _ reference: Size.Reference, _ honest: Serving, pardonSeconds: Double = 0) -> Outcome {
    var outcome = Outcome()
    let rounds = getting.rounds
    let allowed = 1.5 * reference.seconds + Double(2 * (rounds + 1)) + pardonSeconds
    (outcome.alone, outcome.took, outcome.allowed) = (reference.seconds, getting.seconds, allowed)
    outcome.expect(getting.isRight, getting.ending)
    if getting.isRight { outcome.expect(getting.seconds <= allowed, "late: \(decimal(getting.seconds, 1)) s") }
    outcome.measured(memory: max(0, getting.child.peakBytes - reference.peakBytes))
    let isBanned = getting.child.out.contains(#""event":"ban","peer":"\#(honest.peerID)""#)
    outcome.expect(!isBanned, "the honest source is banned")
    if rounds > 0 { outcome.note = "\(rounds) rounds" }
    return outcome
  }

  /// Returns a peer that has nothing and announces the others.
  private func introducer(of sources: [HostileSource], _ file: HostileFile) throws -> HostileSource {
    let entries = sources.map { PeerExchange.Entry(ip: $0.address.ip, port: $0.address.port, peer: $0.peerID) }
    var manner = Manner("an introducer")
    manner.onOpen = { talk, _ in
      try talk.offer(.partial)
      try talk.send(.peers(PeerExchange(handle: talk.handle, entries: entries)))
    }
    let introducer = try HostileSource(at: address(9), file, manner)
    atEnd { introducer.stop() }
    return introducer
  }

  /// Entries of PEERS that lead nowhere: closed ports, and the honest source's own address with another PeerID.
  func poison(sparing honest: Serving) throws -> [PeerExchange.Entry] {
    let wrong = StaticIdentity.random().peerID
    let nowhere = (0..<1_499).map { i in
      PeerExchange.Entry(ip: address(UInt8(200 + i % 50)), port: UInt16(1 + i), peer: wrong)
    }
    return [PeerExchange.Entry(ip: honest.address.ip, port: honest.address.port, peer: wrong)] + nowhere
  }
}
