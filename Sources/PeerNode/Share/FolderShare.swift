// A folder whose files a node serves. A node has any number of folders, each with its own catalogue.
import Posix
import Storage
import Synchronization
import Wire

/// A served folder of a node. The node serves it until `remove`, or until the node stops.
public final class FolderShare: Sendable {
  let catalogue: Catalogue
  let context: NodeContext
  /// True until the first batch of files is hashed: a file that is not found now may be served later.
  private let scanning = Atomic<Bool>(true)
  private let stopping = Atomic<Bool>(false)
  private let hasScanned = Atomic<Bool>(false)

  init(_ catalogue: Catalogue, _ context: NodeContext) {
    self.catalogue = catalogue
    self.context = context
  }

  /// The folder's path, as the program gave it.
  public var path: String { catalogue.folder.path }

  /// The number of files that are served now, and their bytes. Each of several files with equal contents counts.
  public var served: (files: Int, bytes: UInt64) { catalogue.served }

  /// All served files, sorted by path.
  public var entries: [CatalogueEntry] { catalogue.entries }

  /// The newest listing of each folder that has an ID, sorted by path.
  public var folders: [ServedListing] { catalogue.listings.newest }

  /// Whether files that the folder had at the start are still being hashed.
  public internal(set) var isScanning: Bool {
    get { scanning.load(ordering: .acquiring) }
    set { scanning.store(newValue, ordering: .releasing) }
  }

  /// Whether the folder is no longer served. Threads that hash its files check it often.
  var isStopping: Bool { stopping.load(ordering: .acquiring) }

  /// Finds the folder's files and hashes new and changed ones. Blocks until all are served, or soon after `shouldStop`
  /// returns true. From then on, until `remove`, the node follows the folder: it serves and withdraws files as they
  /// come, change and go, and reports that too.
  /// - `onEvent`: called on threads of the node.
  /// - Throws: why the folder cannot be listed. A second call throws `Errno.already`.
  @available(*, noasync, message: "it blocks until all files are hashed; use 'await scan()'")
  package func scan(
    shouldStop: @escaping @Sendable () -> Bool = { false }, onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) throws(Errno) {
    _ = try scanAll(shouldStop: shouldStop, onEvent: onEvent)
  }

  /// Does the work of `scan`. Returns false if it was stopped before all files were served.
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

  /// Stops serving the folder's files. Peers with an open file are notified, unless another folder of the node serves
  /// the same bytes. Blocks until no thread uses the folder.
  @available(*, noasync, message: "it blocks until no thread uses the folder; use 'await remove()'")
  package func remove() {
    stop()
    catalogue.withdrawAll()
    context.sendToAllLoops(.withdrawFolder(self))
  }

  /// Stops offering and following the folder. Files that peers have open stay open.
  func stop() {
    stopping.store(true, ordering: .releasing)
    context.offered.remove(self)
    context.following.unfollow(self)
  }
}
