// Loads on a `serve`. Its memory must stay flat, and honest downloads must be nearly as fast as without load.
import Content
import Glibc
import Posix
import TestSupport

/// A load on a server: one row of the table.
struct ServerLoad: Sendable {
  let name: String
  let promise: String
  /// Whether the load shows an effect only at full size.
  var isLong = false
  /// Starts the load on a server. Returns when the load is at its height.
  typealias Start = @Sendable (Bench, Endpoint, HostileFile) throws -> Load
  let start: Start
  /// What the load must have done before the last download and before memory is read, in how many seconds.
  var wanted: (short: Int, long: Int, seconds: Double) = (0, 0, 0)
  /// Whether the promise is broken if the load has not done that.
  var isWantedDone = false
}

extension Case {
  static let servers: [Case] =
    (connectionLoads + messageLoads + announcementLoads + slotLoads).map { load in
      Case("serve: \(load.name)", load.promise, isLong: load.isLong, isAlone: true) { try $0.compare(load) }
    } + [
      Case(
        "serve: handshakes from afar and 186 connects/s", "half-open connections of its own address do not stop a peer",
        isAlone: true
      ) { try $0.handshakesFromAfar() }
    ]
}

extension Bench {
  /// Compares two servers of one folder. The load hits the first. Honest downloads use both in turn. All loads share
  /// the second.
  fileprivate func compare(_ load: ServerLoad) throws -> Outcome {
    let (file, folder) = (Size.load.sample.file, Size.load.sample.folder)
    var attacked = try serve(folder, at: "\(host(1)):0")
    let other = try spared()
    let (_, isRight, ending) = try download(file, from: [attacked.peer], within: 60)
    guard isRight else { throw Missing("before the load: \(ending)") }
    attacked.child.look()
    attacked.baseBytes = attacked.child.peakBytes

    let running = try load.start(self, attacked.address, file)
    atEnd { running.stop() }
    var (under, beside): ([Double], [Double]) = ([], [])
    var outcome = Outcome()
    let began = Clock.seconds
    for pair in 0..<9 {
      // Alternate which server comes first.
      for isAttacked in pair % 2 == 0 ? [true, false] : [false, true] {
        let (seconds, isRight, ending) = try download(
          file, from: [isAttacked ? attacked.peer : other.peer], within: Bench.downloadSecondsMax)
        guard isAttacked || isRight else { throw Missing("beside the load: \(ending)") }
        if isAttacked { under.append(isRight ? seconds : .infinity) } else { beside.append(seconds) }
        if isAttacked && outcome.broken.isEmpty { outcome.expect(isRight, ending) }
      }
      if !outcome.broken.isEmpty { break }
      let isAtHeight = running.count.value >= load.wanted.short
      if !settings.isLong, isAtHeight, isDecided(beside: beside, under: under) { break }
      // Take more pairs if the machine is busy with other things: one short time says little then.
      let isSlowed = median(beside) / median(under) < Outcome.ratioMin
      let secondsMax = Bench.pairsSecondsMax * (isSlowed ? 2 : 1)
      if pair >= (settings.isLong || isSlowed ? 8 : 4) || pair >= 2 && Clock.seconds - began > secondsMax { break }
    }
    let (alone, took) = (median(beside), median(under))
    (outcome.alone, outcome.took, outcome.ratio) = (alone, took, alone / took)
    if outcome.broken.isEmpty {
      outcome.expect(alone / took >= Outcome.ratioMin, "slowed to \(decimal(alone / took, 2))")
    }
    let wanted = settings.isLong ? load.wanted.long : load.wanted.short
    running.awaitCount(wanted, within: load.wanted.seconds)
    if load.isWantedDone { outcome.expect(running.count.value >= wanted, "\(running.count.value) of \(wanted)") }
    outcome.measured(memory: attacked.grownBytes, max: settings.isLong ? Outcome.memoryMax : Bench.memoryMaxShort)
    outcome.note = "\(running.count.value) done"
    running.stop()
    outcome.expect(!attacked.child.look(), "serve ended with \(attacked.child.code ?? 0): \(attacked.child.lastWords)")
    return outcome
  }

  /// A download under load that takes longer than this has failed.
  private static let downloadSecondsMax = 20.0
  /// Three pairs are enough if they take this long.
  private static let pairsSecondsMax = 20.0

  /// The limit in bytes in the short form. A load may end after three pairs instead of five, so a leak is smaller.
  private static let memoryMaxShort = Outcome.memoryMax / 2

  /// Whether the medians of five pairs meet the limit whatever the last two pairs are. That is so if the slowest of
  /// three downloads under load meets it against the fastest of three others: two more move no median past all three.
  private func isDecided(beside: [Double], under: [Double]) -> Bool {
    guard under.count >= 3, let fastest = beside.min(), let slowest = under.max() else { return false }
    return fastest / slowest >= Outcome.ratioMin
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

extension Bench {
  /// A peer at 100 ms distance completes 60 handshakes while others connect from its address and stay silent.
  fileprivate func handshakesFromAfar() throws -> Outcome {
    let serving = try serve(Size.one.sample.folder)
    let target = serving.address
    let crowd = ServerLoad.herd(
      2_000, from: [Endpoint.loopback(0).ip], to: target, opensPerSecond: 186, dribbles: false)
    atEnd { crowd.stop() }
    // The crowd takes all slots that it can get.
    crowd.awaitCount(300, within: 5)
    let hands = Load(threads: 6) { load, _ in
      for _ in 0..<10 {
        let peer = try? ScriptedPeer(
          over: BlockingSocket(dialling: target), afterSend: { pause(milliseconds: 100) })
        // If the server answers, it has accepted the last message.
        if let peer, (try? peer.send(.ping(1))) != nil, (try? peer.receive()) != nil { load.count.add() }
        load.ready.add()
      }
    }
    hands.awaitReady(60, within: 60)
    hands.stop()
    var outcome = Outcome()
    outcome.note = "\(hands.count.value) of 60 handshakes, \(crowd.count.value) connects"
    outcome.expect(hands.count.value >= 30, "\(hands.count.value) of 60 handshakes")
    return outcome
  }

  /// Returns the addresses from which strangers come.
  func crowdAddresses(_ count: Int = 100) -> [[UInt8]] { (0..<count).map { address(UInt8(100 + $0)) } }
}

// MARK: Connections

extension ServerLoad {
  fileprivate static func herd(
    _ count: Int, from sources: [[UInt8]], to target: Endpoint, opensPerSecond: Int, dribbles: Bool
  ) -> Load {
    Load { load in
      var herd = SocketHerd(count: count, to: target, from: sources)
      let bytes = Array("p2pnode\u{1}\u{1}".utf8)
      var turn = 0
      while !load.isOver {
        // Reach all sockets in ten steps of 100 ms: one byte per second for each.
        let budget = max(1, opensPerSecond / 10)
        var opened = 0
        for i in 0..<count {
          if herd.isOpen(i) {
            herd.drain(i)
            if dribbles && i % 10 == turn % 10 { herd.send(bytes.dribbled(turn / 10), on: i) }
          } else if opened < budget {
            herd.open(i)
            opened += 1
            load.count.add()
          }
        }
        turn += 1
        if turn >= count / budget { load.ready.add() }
        pause(milliseconds: 100)
      }
    }
  }
}

extension [UInt8] {
  /// Returns the byte to send in a second. Zeros after the last byte.
  fileprivate func dribbled(_ second: Int) -> [UInt8] { [second < count ? self[second] : 0] }
}

/// Returns a herd of sockets from the crowd's addresses or from others.
/// - `seconds`: the time in which all sockets must have been opened once.
private func herd(
  _ count: Int, from sources: [[UInt8]]? = nil, opensPerSecond: Int, dribbles: Bool = false, within seconds: Double = 10
) -> ServerLoad.Start {
  { bench, target, _ in
    let load = ServerLoad.herd(
      count, from: sources ?? bench.crowdAddresses(), to: target, opensPerSecond: opensPerSecond, dribbles: dribbles)
    load.awaitReady(1, within: seconds)
    return load
  }
}

private let connectionLoads: [ServerLoad] = [
  ServerLoad(
    name: "1,000 half-open connections", promise: "half-open connections shut nobody out",
    start: herd(1_000, opensPerSecond: 2_000)),
  ServerLoad(
    name: "1,000 dribbling connections", promise: "connections that dribble shut nobody out",
    start: herd(1_000, opensPerSecond: 2_000, dribbles: true)),
  ServerLoad(
    name: "200 connects/s from the getter's address",
    promise: "half-open connections of one address do not stop the handshakes of an honest peer there",
    start: herd(2_000, from: [Endpoint.loopback(0).ip], opensPerSecond: 200, within: 1),
    // More than the slots for half-open connections.
    wanted: (1_100, 2_000, 10)),
  ServerLoad(
    name: "connects and closes at once", promise: "100,000 connects cost no memory",
    start: { bench, target, _ in
      let sources = bench.crowdAddresses()
      return Load { load in
        var herd = SocketHerd(count: 32, to: target, from: sources)
        while !load.isOver {
          for i in 0..<herd.count {
            herd.reset(i)
            herd.open(i)
          }
          load.count.add(herd.count)
          pause(milliseconds: 2)
        }
      }
    }, wanted: (20_000, 100_000, 60)),
]
