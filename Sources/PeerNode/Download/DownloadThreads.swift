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
  private struct Running {
    /// The control thread; nil before `start`, and after `stop`.
    var thread: Thread?
    var isStopped = false
  }
  /// Held while a download is added, so that no `.add` comes after `.stop`.
  private let running = Mutex(Running())
  private let idCount = Atomic<UInt64>(0)

  /// Starts no thread: those of the pools start when there is work.
  init() throws(Errno) { control = try Mailbox() }

  /// Starts the control thread, unless it runs or `stop` came before.
  func start(_ context: NodeContext) throws(Errno) {
    try running.withLock { running throws(Errno) in
      if running.thread != nil || running.isStopped { return }
      // Handed over before the thread starts, and from then on touched by that thread alone.
      nonisolated(unsafe) let loop = try ControlLoop(context)
      running.thread = Thread.start(name: "p2p-control") { loop.run() }
    }
  }

  /// A name for a new download.
  func nextID() -> DownloadID { DownloadID(idCount.add(1, ordering: .relaxed).oldValue) }

  /// Begins a download on the control thread.
  /// - `make`: called on that thread, with its time.
  /// - `onEnd`: called on that thread, once.
  /// - Returns: false after `stop`. Then neither is called.
  func add(
    _ link: DownloadLink, make: @escaping @Sendable (NodeConnections, Instant) -> DownloadRun,
    onEnd: @escaping @Sendable (Result<DownloadResult, DownloadError>) -> Void
  ) -> Bool {
    running.withLock { running in
      if running.isStopped { return false }
      control.send(.add(link.id, make: make, onEnd: onEnd))
      return true
    }
  }

  /// Cancels all downloads, and waits until every one is over, and then for all threads. Called once at a time.
  func stop() {
    let thread = running.withLock { running in
      if !running.isStopped { control.send(.stop) }
      running.isStopped = true
      return running.thread.take()
    }
    thread?.join()
    verifiers.stop()
    disk.stop()
  }
}
