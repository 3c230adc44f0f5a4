// A budget per second that many addresses share, so that a few of them cannot use all of it.

/// Half of the budget is common. The other half is a reserve, from which each address takes at most one unit a second.
/// While fewer addresses ask than the reserve has units, each of them gets at least one unit. Reads no clock.
struct SharedBudget: Sendable {
  /// How many addresses are remembered: 100 KiB. While so many were served within the last second, further ones get
  /// nothing.
  static let addressesMax = 1_024
  /// The shortest time between two searches of a full table for addresses to forget: a flood from invented addresses
  /// must not cost a search for each datagram.
  private static let forgetInterval = Duration.milliseconds(100)
  private static let reserveInterval = Duration.seconds(1)

  private struct Address: Sendable {
    var own: RateLimiter
    var reserveTakenAt: Instant?
  }

  private let perAddressMax: Int
  private var common: RateLimiter
  private var reserve: RateLimiter
  private var addresses: [[UInt8]: Address] = [:]
  private var forgetAt: Instant

  /// - `perSecondMax`: units a second for all addresses together, at least 2; as many at once after a pause.
  /// - `perAddressMax`: units a second for one address; as many at once after a pause.
  init(perSecondMax: Int, perAddressMax: Int, at now: Instant) {
    self.perAddressMax = perAddressMax
    common = SharedBudget.limiter(perSecondMax - perSecondMax / 2, at: now)
    reserve = SharedBudget.limiter(perSecondMax / 2, at: now)
    forgetAt = now
  }

  /// Takes one unit for an address. False if there is none for it now.
  mutating func take(_ ip: [UInt8], at now: Instant) -> Bool {
    guard var address = addresses[ip] ?? newcomer(at: now) else { return false }
    defer { addresses[ip] = address }
    guard address.own.take(upTo: 1, at: now) == 1 else { return false }
    if address.reserveTakenAt.map({ now - $0 >= SharedBudget.reserveInterval }) ?? true,
      reserve.take(upTo: 1, at: now) == 1
    {
      address.reserveTakenAt = now
      return true
    }
    return common.take(upTo: 1, at: now) == 1
  }

  /// Returns an entry for a new address. Nil if the table is full.
  private mutating func newcomer(at now: Instant) -> Address? {
    if addresses.count >= SharedBudget.addressesMax { forget(at: now) }
    guard addresses.count < SharedBudget.addressesMax else { return nil }
    return Address(own: SharedBudget.limiter(perAddressMax, at: now))
  }

  /// Forgets the addresses that have their whole budget again.
  private mutating func forget(at now: Instant) {
    guard now >= forgetAt else { return }
    forgetAt = now + SharedBudget.forgetInterval
    let all = perAddressMax
    addresses = addresses.filter { _, address in
      var own = address.own
      let isReserveTaken = address.reserveTakenAt.map { now - $0 < SharedBudget.reserveInterval } ?? false
      return isReserveTaken || own.delay(until: all, at: now) > .zero
    }
  }

  private static func limiter(_ perSecond: Int, at now: Instant) -> RateLimiter {
    RateLimiter(bytesPerSecond: UInt64(perSecond), burst: UInt64(perSecond), at: now)
  }
}
