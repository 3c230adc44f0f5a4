// The plan of a simulated peer, drawn from the seed: its link, its faults, and when they begin and end.
import Content
import Transfer
import Wire

/// A serving peer and the link to it.
struct PeerPlan: Sendable {
  let number: Int
  var faults: Set<Fault> = []
  /// Bytes per second, as if leaves had 16 KiB.
  var bytesPerSecond: Double
  var delay: Duration
  var jitter = Duration.zero
  var diskDelay: Duration
  var requestsMax: Int
  /// The times at which its connections are cut.
  var resets: [Duration] = []
  /// The times in which nothing arrives.
  var stalls: [Range<Instant>] = []
  /// When its fault begins and when it ends (nil: never), for faults that have a time.
  var begins: Duration = .zero
  var ends: Duration?
  /// When a vanishing peer is away, in order; and whether its connections hang then, as if a link were lost.
  var absences: [Range<Instant>] = []
  var hangsWhenAway = false
  /// The fraction of its answers that is wrong, if it lies.
  var wrongPart = 1.0
  var retryAfterMilliseconds: UInt32 = 1000
  /// The message at which it closes the connection, if it does so.
  var closesAt = Stage.request
  /// How long it waits before the next leaves, if it dribbles.
  var dribblePause: Duration = .seconds(5)
  /// How long it holds a request before it returns it, and how it returns it.
  var holdTime: Duration = .milliseconds(1500)
  var givesBackBy = Return.busy
  /// Whether its addresses come from a discovery and not from the user.
  var isHinted = false
  /// How long a stranger is away after a loss.
  var returnsAfter: Duration = .seconds(1)

  enum Stage: CaseIterable, Sendable { case open, page, request, data }
  enum Return: CaseIterable, Sendable { case busy, done, tooManyConnections, withdrawn }

  func has(_ fault: Fault) -> Bool { faults.contains(fault) }
  /// Whether the peer is honest, present from start to end, and serves at a fair rate.
  var isAnchor: Bool { faults.isSubset(of: Fault.harmless) }
  /// Its PeerID. If it changes its identity, the PeerID of its connection with this number.
  func id(ofConnection count: Int = 0) -> PeerID {
    let changing =
      has(.changesIdentity) ? [UInt8(truncatingIfNeeded: count), UInt8(truncatingIfNeeded: count >> 8)] : [0, 0]
    return PeerID(digest: Digest([UInt8(number + 1)] + changing + Array(repeating: 0, count: 29))!)
  }
  var id: PeerID { id() }
  var addresses: [PeerAddress] {
    let host = UInt8(has(.sharedAddress) ? 200 : number + 1)
    let ip = Array(repeating: UInt8(0), count: 10) + [255, 255, 10, 0, 0, host]
    let first = PeerAddress(ip: ip, port: UInt16(9800 + number))
    return has(.twoAddresses) ? [first, PeerAddress(ip: ip, port: UInt16(9900 + number))] : [first]
  }
}

extension PeerPlan {
  /// Draws a peer. An anchor is honest and has only harmless faults.
  init(_ number: Int, isAnchor: Bool, timeout: Duration, _ generator: inout SeededGenerator) {
    self.number = number
    // An anchor is fast enough for each timeout.
    bytesPerSecond = generator.pick(isAnchor ? [4e5, 1e6, 1e7, 1e8] : [1e5, 3e5, 1e6, 1e6, 1e7, 1e8])
    delay = .microseconds(Int64.random(in: 100...30_000, using: &generator))
    diskDelay = .microseconds(Int64.random(in: 10...5000, using: &generator))
    requestsMax = generator.pick([1, 2, 8, 64, 64, 64])
    let latestBegin = generator.pick([Int64(500), 3000, 15_000])
    begins = generator.milliseconds(0...latestBegin)
    if generator.chance(0.6) { ends = begins + generator.milliseconds(500...60_000) }
    wrongPart = generator.pick([0.05, 0.3, 1, 1])
    retryAfterMilliseconds = generator.pick([0, 10, 1000, 5000, 100_000])
    closesAt = generator.pick(PeerPlan.Stage.allCases)
    dribblePause = generator.milliseconds(500...generator.pick([2000, 29_000]))
    // Shorter than a peer may be silent, or shorter than a timeout.
    holdTime = generator.pick([.milliseconds(1500), timeout * 4 / 5])
    givesBackBy = generator.pick(Return.allCases)
    let faultCount = Int.random(in: isAnchor ? 0...1 : 0...3, using: &generator)
    let known = isAnchor ? Fault.ofPeers.filter(Fault.harmless.contains) : Fault.ofPeers
    for _ in 0..<faultCount { faults.insert(generator.pick(known)) }
    if has(.slowLink) { bytesPerSecond = generator.pick([1e4, 1e4, 2e4, 5e5]) }
    if has(.longDelay) { delay = generator.milliseconds(100...600) }
    if has(.jitter) { jitter = generator.milliseconds(1...300) }
    let latest = generator.pick([Int64(1000), 5000, 30_000])
    if has(.resets) {
      for _ in 0..<Int.random(in: 1...6, using: &generator) { resets.append(generator.milliseconds(0...latest)) }
    }
    if has(.stalls) {
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let start = Instant.zero + generator.milliseconds(0...latest)
        stalls.append(start..<start + generator.milliseconds(100...Int64(timeout.inSeconds * 2000)))
      }
    }
  }
}
