// How many inbound connections a node has room for, given its number of descriptors.

/// The places of a node's listener. Each place is one descriptor.
public struct ConnectionPlaces: Hashable, Sendable {
  /// Established connections, unless configured otherwise. The memory of a node suffices if half of them are sending.
  public static let establishedStandard = 1_024
  /// The most half-open connections. If a handshake takes 0.2 s, they allow more handshakes a second than a processor
  /// can do.
  static let halfOpenMax = 1_024
  /// The fewest half-open connections, if descriptors suffice: enough for a few slow handshakes at a time.
  static let halfOpenMin = 8
  /// Connections over the limit that stay until they have opened a file and the node has sent them other peers that
  /// have it.
  static let turnedAwayMax = 32
  /// Connections that have sent GOODBYE and wait for the other end to close.
  static let lingeringMax = 64

  /// Connections whose handshake is done.
  public let established: Int
  public let halfOpen: Int
  public let turnedAway: Int
  public let lingering: Int

  /// Divides the descriptors among the places.
  /// - `wanted`: established connections; nil: `establishedStandard`. If not all fit, fewer are granted, at least 1.
  /// - `descriptors`: how many the connections may use. Fewer than 8 count as 8.
  public init(established wanted: Int?, descriptors: Int) {
    let descriptors = max(8, descriptors)
    turnedAway = min(ConnectionPlaces.turnedAwayMax, descriptors / 8)
    lingering = min(ConnectionPlaces.lingeringMax, descriptors / 8)
    let left = descriptors - turnedAway - lingering
    // Half-open connections get half as many places again. With the standard places, a flood from one address needs
    // more than 256 connections a second to displace a connection whose handshake takes a second.
    established = min(max(1, wanted ?? ConnectionPlaces.establishedStandard), left * 2 / 3)
    let half = min(max(established / 2, ConnectionPlaces.halfOpenMin), ConnectionPlaces.halfOpenMax)
    halfOpen = min(half, left - established)
  }

  /// Three quarters of the places. Above this many established connections a newcomer displaces one of a group that has
  /// more. The last quarter is still free then, so that groups lose places before newcomers are turned away.
  var crowdedFrom: Int { established - established / 4 }
}
