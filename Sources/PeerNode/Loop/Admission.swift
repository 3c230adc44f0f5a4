// The admission of connections from outside, for all loops of a node.
import Posix
import Sodium
import Storage
import Synchronization
import Transfer
import Wire

/// A lock around `ConnectionAdmission`, which decides.
final class Admission: Sendable {
  private let state: Mutex<ConnectionAdmission>

  init(places: ConnectionPlaces) {
    state = Mutex(ConnectionAdmission(places: places, generator: SeededGenerator(seed: Random.uint64())))
  }

  /// Calls `body` while no other thread does.
  func callAsFunction<Result: Sendable>(_ body: (inout ConnectionAdmission) -> Result) -> Result {
    state.withLock { body(&$0) }
  }

  /// The time of reports about half-open connections: one clock for all loops. The loops' own clocks leave out
  /// different gaps, in which their threads did not run.
  var now: Instant { Instant(nanoseconds: Clock.monotonicNanoseconds) }
}

extension NodeConfiguration {
  /// Connections from outside that a download admits at a time, as far as the limit of open files reaches.
  public var connectionsOfDownload: Int { ConnectionPlaces(self, folderCount: 0, downloadCount: 1).established }
}

extension ConnectionPlaces {
  /// Descriptors of a node that are neither connections from outside nor served files: 21 of a node that is idle (the
  /// standard streams, locks, a database with its journal, the watch of a folder), and as many again for sockets of
  /// discovery and of metrics and for folders that are looked through.
  static let descriptorsReserved = 32
  /// Those of each loop: its epoll, its mailbox, and two that it has open for a moment.
  static let descriptorsPerLoop = 4
  /// The peers that a download dials.
  static let descriptorsOfDials = 50
  /// Those of a download apart from that: its part file, its journal.
  static let descriptorsOfOutput = 2
  /// Those of all downloads together: files that finish, look-ups of names.
  static let descriptorsOfDownloads = 12

  /// Descriptors that so many downloads need.
  private static func descriptors(ofDownloads count: Int) -> Int {
    guard count > 0 else { return 0 }
    return min(NodeConnections.dialledMax, count * descriptorsOfDials) + count * descriptorsOfOutput
      + descriptorsOfDownloads
  }

  /// The places of a node in this process, within its limit of open files.
  init(_ configuration: NodeConfiguration, folderCount: Int, downloadCount: Int) {
    let reserved =
      ConnectionPlaces.descriptorsReserved + configuration.loopCount * ConnectionPlaces.descriptorsPerLoop
      + folderCount * Catalogue.openFilesMax + ConnectionPlaces.descriptors(ofDownloads: downloadCount)
    self.init(established: configuration.connectionsMax, descriptors: OpenFileLimit.current - reserved)
  }
}
