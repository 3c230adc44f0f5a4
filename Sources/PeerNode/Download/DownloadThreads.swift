// The threads and memory that all downloads of a node share, however many downloads there are.
import Posix
import Synchronization
import Transfer

/// One control thread, the threads that verify, wait for the disk and look up names, and the memory blocks. Any thread
/// may call it.
final class DownloadThreads: Sendable {
  /// The most blocks that all downloads hold together: 16 MiB.
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

  /// Starts no thread. The pools start theirs when there is work.
  init() throws(Errno) { control = try Mailbox() }

  /// Starts the control thread, unless it runs or `stop` came before.
  func start(_ context: NodeContext) throws(Errno) {
    try running.withLock { running throws(Errno) in
      if running.thread != nil || running.isStopped { return }
      // Safe: it is handed over before the thread starts, and from then on only that thread touches it.
      nonisolated(unsafe) let loop = try ControlLoop(context)
      running.thread = Thread.start(name: "p2p-control") { loop.run() }
    }
  }

  /// Returns a name for a new download.
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

  /// Cancels all downloads, waits until each has ended, and then waits for all threads. Called once at a time.
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
