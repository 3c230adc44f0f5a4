// Where peers say that they are: in the zone of this node, in another one, or nowhere.
import Wire

/// The zone of a node, and the PeerID under which the peers of the zone know the node.
public struct ZoneMembership: Hashable, Sendable {
  /// The zone.
  public let name: ZoneName
  /// This node.
  public let member: PeerID

  public init(name: ZoneName, member: PeerID) { (self.name, self.member) = (name, member) }
}

/// The zone of a peer, as this node sees it. It is the peer's claim.
public enum PeerZone: Hashable, Sendable, CaseIterable {
  /// The zone of this node.
  case own
  /// Another zone.
  case other
  /// The peer announced no zone.
  case unknown

  /// - `claimed`: the zone that the peer announced; nil: it announced none.
  /// - `own`: the zone of this node.
  public init(_ claimed: ZoneName?, own: ZoneName) { self = claimed.map { $0 == own ? .own : .other } ?? .unknown }
}

/// Bytes, by the zone of the peer that gave or got them.
public struct ZoneBytes: Hashable, Sendable {
  /// Peers of the zone of this node.
  public var own: UInt64 = 0
  /// Peers of other zones.
  public var other: UInt64 = 0
  /// Peers that announced no zone.
  public var unknown: UInt64 = 0

  /// No bytes yet.
  public init() {}

  /// The bytes of one of the three.
  public subscript(zone: PeerZone) -> UInt64 {
    get {
      switch zone {
      case .own: own
      case .other: other
      case .unknown: unknown
      }
    }
    set {
      switch zone {
      case .own: own = newValue
      case .other: other = newValue
      case .unknown: unknown = newValue
      }
    }
  }

  /// The sum, each zone for itself.
  public static func + (a: ZoneBytes, b: ZoneBytes) -> ZoneBytes {
    var sum = a
    for zone in PeerZone.allCases { sum[zone] += b[zone] }
    return sum
  }
}
