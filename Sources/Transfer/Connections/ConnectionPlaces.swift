// How many connections from outside a node has room for, as far as its descriptors reach.

/// The places of a node's listener. Each place is one descriptor.
public struct ConnectionPlaces: Hashable, Sendable {
  /// Connections whose handshake is done, unless configured otherwise: half of them sending fit the memory of a node.
  public static let establishedStandard = 1_024
  /// Half-open connections at most: handshakes of 0.2 s at more than a processor can do of them.
  static let halfOpenMax = 1_024
  /// Half-open connections where descriptors are not short: a few slow handshakes at a time.
  static let halfOpenMin = 8
  /// Connections over the limit that are kept until they have opened a file and are told which other peers have it.
  static let turnedAwayMax = 32
  /// Connections that have sent GOODBYE and wait for the other end to close.
  static let lingeringMax = 64

  /// Connections whose handshake is done.
  public let established: Int
  public let halfOpen: Int
  public let turnedAway: Int
  public let lingering: Int

  /// The places that fit.
  /// - `wanted`: connections whose handshake is done; nil: `establishedStandard`. As many as fit are granted, at least 1.
  /// - `descriptors`: how many may be used. With fewer than 8, there are places for 8 nevertheless.
  public init(established wanted: Int?, descriptors: Int) {
    let descriptors = max(8, descriptors)
    turnedAway = min(ConnectionPlaces.turnedAwayMax, descriptors / 8)
    lingering = min(ConnectionPlaces.lingeringMax, descriptors / 8)
    let left = descriptors - turnedAway - lingering
    // Half as many again are for those that are half-open: with the standard places, a flood from one address must make more
    // than 256 connections a second before it takes the place of one whose handshake takes a second.
    established = min(max(1, wanted ?? ConnectionPlaces.establishedStandard), left * 2 / 3)
    let half = min(max(established / 2, ConnectionPlaces.halfOpenMin), ConnectionPlaces.halfOpenMax)
    halfOpen = min(half, left - established)
  }

  /// Above this many established connections a newcomer displaces one of a group that has more: three quarters. The last
  /// quarter is still free then, so that places are taken back before newcomers are turned away.
  var crowdedFrom: Int { established - established / 4 }
}
