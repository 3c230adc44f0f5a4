// A folder whose files a node serves. A node has any number of them, and each has a catalogue of its own.
import Posix
import Storage
import Synchronization
import Wire

/// A served folder of a node. It is served until `remove`, or until the node stops.
public final class FolderShare: Sendable {
  let catalogue: Catalogue
  let context: NodeContext
  /// Set from the start until the first batch of files is hashed: a file that is not found may yet be.
  private let scanning = Atomic<Bool>(true)
  private let stopping = Atomic<Bool>(false)
  private let hasScanned = Atomic<Bool>(false)

  init(_ catalogue: Catalogue, _ context: NodeContext) {
    self.catalogue = catalogue
    self.context = context
  }

  /// The folder, as the program named it.
  public var path: String { catalogue.folder.path }

  /// Files that are served now, and their bytes. Files of equal contents count each.
  public var served: (files: Int, bytes: UInt64) { catalogue.served }

  /// All served files, in the order of their paths.
  public var entries: [CatalogueEntry] { catalogue.entries }

  /// The newest listing of each folder that has an ID, in the order of their paths.
  public var folders: [ServedListing] { catalogue.listings.newest }

  /// Whether files that the folder had at the start are still being hashed.
  public internal(set) var isScanning: Bool {
    get { scanning.load(ordering: .acquiring) }
    set { scanning.store(newValue, ordering: .releasing) }
  }

  /// Whether its files are served no longer. Threads that hash them look at it often.
  var isStopping: Bool { stopping.load(ordering: .acquiring) }

  /// Finds the folder's files and hashes those that are new or changed. Blocks until all are served, or soon after
  /// `shouldStop` says so. From then on, until `remove`, the node follows what happens in the folder: it serves and
  /// withdraws files as they come, change and go, and it reports that too.
  /// - `onEvent`: called on threads of the node.
  /// - Throws: why the folder cannot be listed. A second call throws `Errno.already`.
  @available(*, noasync, message: "it blocks until all files are hashed; use 'await scan()'")
  package func scan(
    shouldStop: @escaping @Sendable () -> Bool = { false }, onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) throws(Errno) {
    _ = try scanAll(shouldStop: shouldStop, onEvent: onEvent)
  }

  /// The same. False: it was stopped before all files were served.
  func scanAll(
    shouldStop: @escaping @Sendable () -> Bool, onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) throws(Errno) -> Bool {
    guard !hasScanned.exchange(true, ordering: .relaxed) else {
      throw Errno(code: Errno.already, call: "scan", subject: path)
    }
    defer {
      isScanning = false
      context.sendToAllLoops(.catalogueChanged)
    }
    let firstBatch = BlockingQueue<Result<Void, Errno>>()
    let counters = context.counters
    try context.following.follow(
      FollowedShare(
        share: self, shouldStop: { self.isStopping || shouldStop() }, firstBatch: firstBatch,
        onEvent: { event in
          counters.note(event)
          onEvent(event)
        }), for: context)
    guard let result = firstBatch.take() else { return false }
    try result.get()
    return !isStopping && !shouldStop()
  }

  /// Serves the folder's files no longer. Peers that have one open are told, unless another folder of the node serves
  /// the same bytes. Blocks until no thread uses the folder.
  @available(*, noasync, message: "it blocks until no thread uses the folder; use 'await remove()'")
  package func remove() {
    stop()
    catalogue.withdrawAll()
    context.sendToAllLoops(.withdrawFolder(self))
  }

  /// Follows the folder no longer. What peers have open stays open.
  func stop() {
    stopping.store(true, ordering: .releasing)
    context.offered.remove(self)
    context.following.unfollow(self)
  }
}
