// A peer as a person names it, and how names become addresses.
import Posix
import Transfer
import Wire

/// A peer to ask: `[PEERID@]HOST[:PORT]`. A host stands for all its addresses, now and while the download runs.
public struct PeerSource: Hashable, Sendable, CustomStringConvertible {
  /// A name or an address, and a port.
  public let host: HostPort
  /// The peer that must answer there; nil: any.
  public let pinned: PeerID?
  /// At most this many addresses of the host are used, so that a name cannot make a download dial the world.
  public let addressesMax: Int

  /// A peer by its parts. A download throws `DownloadError.invalid` if the host is empty or the port is 0.
  public init(host: HostPort, pinned: PeerID? = nil, addressesMax: Int = 256) {
    self.host = host
    self.pinned = pinned
    self.addressesMax = addressesMax
  }

  /// Takes `[PEERID@]HOST[:PORT]` with a port that can be dialled, by default 9800; nil for anything else.
  public init?(parsing text: String) {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let pinned = parts.count == 2 ? PeerID(hex: parts[0]) : nil
    guard let host = HostPort(parsing: String(parts[parts.count - 1]), defaultPort: ProtocolDefaults.port),
      host.port != 0, parts.count == 1 || pinned != nil
    else { return nil }
    self.init(host: host, pinned: pinned)
  }

  /// An address that no peer can have; nil: the peer can be dialled.
  var fault: SettingFault? {
    guard host.host.isEmpty || host.port == 0 else { return nil }
    return SettingFault("a peer's address", is: "\"\(host)\"", mustBe: "a host and a port from 1")
  }

  public var description: String { pinned.map { "\($0.hex)@\(host)" } ?? "\(host)" }
}

/// Finds the addresses of a host; may block.
typealias Resolver = @Sendable (HostPort) throws(ResolutionFailure) -> [Endpoint]
