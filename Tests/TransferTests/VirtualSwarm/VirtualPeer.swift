// The behaviour of the peers of a test swarm.
import Content
import Transfer
import Wire

/// A peer of the swarm. By default it is honest and present from the start.
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
    /// Sends pages, but no chunk that verifies.
    case liar
    /// Stops within each chunk, after this many leaves.
    case stalls(afterLeaves: Int)
    /// Connects and never answers OPEN.
    case mute
    /// Opens the file and never answers PAGE_GET.
    case pageless
    /// The file is gone when the first chunk is requested.
    case withdraws
    /// Closes the connection when this is requested.
    case closes(at: Stage)
    /// Sends single leaves of the first answer at this interval.
    case dribbles(every: Duration)
    /// Holds a request for this time, then returns it without an answer.
    case givesBack(by: Return, after: Duration)
  }

  enum Stage: Sendable, Equatable { case page, request }
  enum Return: Sendable, CaseIterable { case busy, done, tooManyConnections, withdrawn }

  var conduct = Conduct.honest
  /// The time from a request to its first byte.
  var latency: Duration = .milliseconds(1)
  var bytesPerSecond: Double = 10 * 1_048_576
  /// The whole chunks that it has. Nil: all.
  var holds: Set<UInt32>?
  /// Its connections end at this time.
  var lostAt: Instant?
  /// From this time on it answers no request.
  var silentFrom: Instant?
  /// It cannot be dialled during this time.
  var away: Range<Instant>?
  var identity: UInt8?
  var ip: UInt8?
  /// If set, it dials the download instead of being dialled, and comes back this long after a loss. Each time it has a
  /// new PeerID, unless it has an identity.
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
