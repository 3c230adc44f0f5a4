// How the peers of a test swarm behave.
import Content
import Transfer
import Wire

/// A peer of the swarm; the defaults are an honest one at once at hand.
struct VirtualPeer: Sendable {
  enum Conduct: Sendable, Equatable {
    case honest
    /// The dial fails.
    case down(DialFailure)
    case refuses(Opened.Refusal)
    /// Opens the file and answers every request with BUSY.
    case busy(retryAfter: Duration)
    /// Opens the file and answers no request.
    case silent
    /// Gives pages, but no chunk that verifies.
    case liar
    /// Stops in the midst of each chunk, after so many leaves.
    case stalls(afterLeaves: Int)
    /// Connects and never answers OPEN.
    case mute
    /// Opens the file and never answers PAGE_GET.
    case pageless
    /// The file is gone when the first chunk is asked for.
    case withdraws
    /// Closes the connection when it is asked for this.
    case closes(at: Stage)
    /// Sends a leaf of the first answer now and then.
    case dribbles(every: Duration)
    /// Holds a request for so long, and gives it back without an answer.
    case givesBack(by: Return, after: Duration)
  }

  enum Stage: Sendable, Equatable { case page, request }
  enum Return: Sendable, CaseIterable { case busy, done, tooManyConnections, withdrawn }

  var conduct = Conduct.honest
  /// From a request to its first byte.
  var latency: Duration = .milliseconds(1)
  var bytesPerSecond: Double = 10 * 1_048_576
  /// The whole chunks that it has; nil: all.
  var holds: Set<UInt32>?
  /// Connections end at this time.
  var lostAt: Instant?
  /// From then on it answers no request.
  var silentFrom: Instant?
  /// It cannot be dialled in this time.
  var away: Range<Instant>?
  var identity: UInt8?
  var ip: UInt8?
  /// It dials the download instead of being dialled, under a new PeerID each time unless it has an identity, and comes
  /// back so long after a loss.
  var returnsAfter: Duration?

  static func slow(_ bytesPerSecond: Double) -> VirtualPeer { VirtualPeer(bytesPerSecond: bytesPerSecond) }
}

extension Instant {
  static func seconds(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64((seconds * 1e9).rounded())) }
  static func milliseconds(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
  var inSeconds: Double { Double(nanoseconds) / 1e9 }
}

func peerID(_ number: UInt8) -> PeerID { PeerID(digest: Digest(Array(repeating: number, count: 32))!) }

func ipv4(_ number: UInt8) -> [UInt8] { Array(repeating: 0, count: 10) + [255, 255, 10, 0, 0, number] }

func address(_ number: UInt8, port: UInt16 = 9800) -> PeerAddress {
  PeerAddress(ip: Array(repeating: 0, count: 10) + [255, 255, 10, 0, 0, number], port: port)
}
