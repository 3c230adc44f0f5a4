// A simulated peer as a seed draws it: its link, its faults, and when they hold.
import Content
import Transfer
import Wire

/// A peer that serves, and the way to it.
struct PeerPlan: Sendable {
  let number: Int
  var faults: Set<Fault> = []
  /// Bytes a second, of a file whose leaves are 16 KiB.
  var bytesPerSecond: Double
  var delay: Duration
  var jitter = Duration.zero
  var diskDelay: Duration
  var requestsMax: Int
  /// Its connections are cut at these times.
  var resets: [Duration] = []
  /// Nothing arrives in these times.
  var stalls: [Range<Instant>] = []
  /// When its fault begins, and when it ends (nil: never), where that is a matter of time.
  var begins: Duration = .zero
  var ends: Duration?
  /// When it is away, in order, if it vanishes; and whether its connections hang then, as where a link is lost.
  var absences: [Range<Instant>] = []
  var hangsWhenAway = false
  /// Of what it sends wrong, so much is wrong.
  var wrongPart = 1.0
  var retryAfterMilliseconds: UInt32 = 1000
  /// At which message it closes, where it does.
  var closesAt = Stage.request
  /// How long it waits before it sends the next leaves, where it dribbles.
  var dribblePause: Duration = .seconds(5)
  /// How long it holds a request that it gives back, and how it does so.
  var holdTime: Duration = .milliseconds(1500)
  var givesBackBy = Return.busy
  /// Whether the user did not name its addresses: a discovery found them.
  var isHinted = false
  /// How long a stranger is away after a loss.
  var returnsAfter: Duration = .seconds(1)

  enum Stage: CaseIterable, Sendable { case open, page, request, data }
  enum Return: CaseIterable, Sendable { case busy, done, tooManyConnections, withdrawn }

  func has(_ fault: Fault) -> Bool { faults.contains(fault) }
  /// Honest, there from the start to the end, and with a file to give at a fair rate.
  var isAnchor: Bool { faults.isSubset(of: Fault.harmless) }
  /// Its PeerID, or that of its connection with this number where it changes.
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
    // An anchor is fast enough for every timeout.
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
    // Shorter than a peer may be silent, or than a timeout.
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
