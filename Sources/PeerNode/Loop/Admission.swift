// The admission of incoming connections, shared by all loops of a node.
import Posix
import Sodium
import Storage
import Synchronization
import Transfer
import Wire

/// A lock around `ConnectionAdmission`, which makes the decisions.
final class Admission: Sendable {
  private let state: Mutex<ConnectionAdmission>

  init(places: ConnectionPlaces) {
    state = Mutex(ConnectionAdmission(places: places, generator: SeededGenerator(seed: Random.uint64())))
  }

  /// Calls `body` under the lock.
  func callAsFunction<Result: Sendable>(_ body: (inout ConnectionAdmission) -> Result) -> Result {
    state.withLock { body(&$0) }
  }

  /// The clock for reports about half-open connections, the same for all loops. The loops' own clocks differ: each
  /// leaves out the gaps in which its thread did not run.
  var now: Instant { Instant(nanoseconds: Clock.monotonicNanoseconds) }
}

extension NodeConfiguration {
  /// The most incoming connections of a node with one download, within the limit of open files.
  public var connectionsOfDownload: Int { ConnectionPlaces(self, folderCount: 0, downloadCount: 1).established }
}

extension ConnectionPlaces {
  /// Descriptors of a node that are neither incoming connections nor served files. An idle node has 21: the standard
  /// streams, locks, a database with its journal, the watch of a folder. The rest is for sockets of discovery and
  /// metrics and for folders that are being scanned.
  static let descriptorsReserved = 32
  /// Descriptors of each loop: its epoll, its mailbox, and two that are open for a moment.
  static let descriptorsPerLoop = 4
  /// Descriptors of a download for the peers that it dials.
  static let descriptorsOfDials = 50
  /// Further descriptors of a download: its part file and its journal.
  static let descriptorsOfOutput = 2
  /// Descriptors that all downloads share: files that are being finished, look-ups of names.
  static let descriptorsOfDownloads = 12

  /// Returns how many descriptors this number of downloads needs.
  private static func descriptors(ofDownloads count: Int) -> Int {
    guard count > 0 else { return 0 }
    return min(NodeConnections.dialledMax, count * descriptorsOfDials) + count * descriptorsOfOutput
      + descriptorsOfDownloads
  }

  /// Counts the places of a node, within the process's limit of open files.
  init(_ configuration: NodeConfiguration, folderCount: Int, downloadCount: Int) {
    let reserved =
      ConnectionPlaces.descriptorsReserved + configuration.loopCount * ConnectionPlaces.descriptorsPerLoop
      + folderCount * Catalogue.openFilesMax + ConnectionPlaces.descriptors(ofDownloads: downloadCount)
    self.init(established: configuration.connectionsMax, descriptors: OpenFileLimit.current - reserved)
  }
}
