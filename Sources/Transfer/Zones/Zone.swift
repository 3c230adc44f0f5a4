// The zones that peers announce, as this node sees them: its own zone, another zone, or none.
import Wire

/// The zone of a node, and the PeerID under which the peers of the zone know the node.
public struct ZoneMembership: Hashable, Sendable {
  /// The zone.
  public let name: ZoneName
  /// This node.
  public let member: PeerID

  public init(name: ZoneName, member: PeerID) { (self.name, self.member) = (name, member) }
}

/// The zone of a peer, compared with the zone of this node. The peer's claim is not verified.
public enum PeerZone: Hashable, Sendable, CaseIterable {
  /// The zone of this node.
  case own
  /// Another zone.
  case other
  /// The peer announced no zone.
  case unknown

  /// - `claimed`: the zone that the peer announced; nil if it announced none.
  /// - `own`: the zone of this node.
  public init(_ claimed: ZoneName?, own: ZoneName) { self = claimed.map { $0 == own ? .own : .other } ?? .unknown }
}

/// Bytes, by the zone of the peer that sent or received them.
public struct ZoneBytes: Hashable, Sendable {
  /// Bytes of peers in the zone of this node.
  public var own: UInt64 = 0
  /// Bytes of peers in other zones.
  public var other: UInt64 = 0
  /// Bytes of peers that announced no zone.
  public var unknown: UInt64 = 0

  /// No bytes yet.
  public init() {}

  /// The bytes of the peers in one of the three kinds of zone.
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

  /// Adds two counts zone by zone.
  public static func + (a: ZoneBytes, b: ZoneBytes) -> ZoneBytes {
    var sum = a
    for zone in PeerZone.allCases { sum[zone] += b[zone] }
    return sum
  }
}
