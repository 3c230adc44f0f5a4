// The threads and the memory that all downloads of a node share: their number does not depend on that of the downloads.
import Posix
import Synchronization
import Transfer

/// One control thread, threads that verify, that wait for the disk and that look names up, and blocks. Any thread may use
/// it.
final class DownloadThreads: Sendable {
  /// Blocks that downloads hold together: 16 MiB.
  static let blocksMax = 256

  let control: Mailbox<ControlMessage>
  let blocks = BlockPool(limit: DownloadThreads.blocksMax)
  let verifiers = VerifyPool()
  let disk = DiskPool()
  let lookups = LookupThreads()
  private let thread = Mutex<Thread?>(nil)
  private let idCount = Atomic<UInt64>(0)

  /// Starts no thread: those of the pools start when there is work.
  init() throws(Errno) { control = try Mailbox() }

  /// Starts the control thread, unless it runs.
  func start(_ context: NodeContext) throws(Errno) {
    try thread.withLock { thread throws(Errno) in
      if thread != nil { return }
      // Handed over before the thread starts, and from then on touched by that thread alone.
      nonisolated(unsafe) let loop = try ControlLoop(context)
      thread = Thread.start(name: "p2p-control") { loop.run() }
    }
  }

  /// A name for a new download.
  func nextID() -> DownloadID { DownloadID(idCount.add(1, ordering: .relaxed).oldValue) }

  /// Begins a download on the control thread.
  /// - `make`: called on that thread, with its time.
  /// - `onEnd`: called on that thread, once.
  func add(
    _ link: DownloadLink, make: @escaping @Sendable (NodeConnections, Instant) -> DownloadRun,
    onEnd: @escaping @Sendable (Result<DownloadResult, DownloadError>) -> Void
  ) {
    control.send(.add(link.id, make: make, onEnd: onEnd))
  }

  /// Cancels all downloads, and waits until every one is over, and then for all threads. No download is added after it.
  func stop() {
    control.send(.stop)
    thread.withLock { $0.take() }?.join()
    verifiers.stop()
    disk.stop()
  }
}
