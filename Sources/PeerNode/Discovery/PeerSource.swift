// A peer as the user names it, and the function that resolves host names.
import Posix
import Transfer
import Wire

/// A peer to ask: `[PEERID@]HOST[:PORT]`. A host name stands for all its addresses, now and while the download runs.
public struct PeerSource: Hashable, Sendable, CustomStringConvertible {
  /// A name or an address, and a port.
  public let host: HostPort
  /// The peer that must answer there; nil: any.
  public let pinned: PeerID?
  /// The most addresses of the host that are used, so that a name cannot make a download dial the whole internet.
  public let addressesMax: Int

  /// Makes a peer from its parts. A download throws `DownloadError.invalid` if the host is empty or the port is 0.
  public init(host: HostPort, pinned: PeerID? = nil, addressesMax: Int = 256) {
    self.host = host
    self.pinned = pinned
    self.addressesMax = addressesMax
  }

  /// Parses `[PEERID@]HOST[:PORT]`. The port is from 1, by default 9800; nil for any other text.
  public init?(parsing text: String) {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let pinned = parts.count == 2 ? PeerID(hex: parts[0]) : nil
    guard let host = HostPort(parsing: String(parts[parts.count - 1]), defaultPort: ProtocolDefaults.port),
      host.port != 0, parts.count == 1 || pinned != nil
    else { return nil }
    self.init(host: host, pinned: pinned)
  }

  /// Why no peer can have this address; nil: the peer can be dialled.
  var fault: SettingFault? {
    guard host.host.isEmpty || host.port == 0 else { return nil }
    return SettingFault("a peer's address", is: "\"\(host)\"", mustBe: "a host and a port from 1")
  }

  public var description: String { pinned.map { "\($0.hex)@\(host)" } ?? "\(host)" }
}

/// Returns the addresses of a host. May block.
typealias Resolver = @Sendable (HostPort) throws(ResolutionFailure) -> [Endpoint]
