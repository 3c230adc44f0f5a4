// The thread of a server that watches its folder: it serves new files and withdraws files that are gone.
// Other threads hash the files, so that it never has to wait for them.
import Posix
import Storage
import Synchronization

/// A message of another thread to the one that follows the folder.
enum FollowCommand: Sendable {
  /// A connection found that a file has changed since it was hashed.
  case look(at: String)
  case hashed(path: String, SkipReason?)
  case batchEnded
  case stop
}

/// A watched folder and the loop around it, confined to its own thread.
final class FolderFollower {
  /// News are taken this often at most: a file that is written to in small pieces is one piece of news then.
  private static let pauseNanoseconds: Int64 = 10_000_000
  private static let mailboxToken: UInt64 = 0
  private static let folderToken: UInt64 = 1

  private let context: NodeContext
  private let catalogue: Catalogue
  private let mailbox: Mailbox<FollowCommand>
  private let folder: WatchedFolder
  private let shouldStop: @Sendable () -> Bool
  private let onEvent: @Sendable (CatalogueEvent) -> Void
  private let isStopping: StopFlag
  /// Gets one element when the first batch of files is hashed, or when that will not be.
  private let firstBatch: BlockingQueue<Void>

  private var epoll: Epoll
  private var hashing: Thread?
  private var isStopped = false
  private var isReading = true
  private var readAgainAt: Int64 = 0

  /// Tells hashing threads to stop.
  final class StopFlag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
  }

  /// Finds the files that are there.
  init(
    _ context: NodeContext, _ catalogue: Catalogue, _ mailbox: Mailbox<FollowCommand>,
    shouldStop: @escaping @Sendable () -> Bool, firstBatch: BlockingQueue<Void>,
    onEvent: @escaping @Sendable (CatalogueEvent) -> Void
  ) throws(Errno) {
    self.context = context
    self.catalogue = catalogue
    self.mailbox = mailbox
    self.firstBatch = firstBatch
    self.onEvent = onEvent
    let isStopping = StopFlag()
    self.isStopping = isStopping
    self.shouldStop = { isStopping.isSet || shouldStop() }
    folder = try WatchedFolder(catalogue, now: { Clock.monotonicNanoseconds }) { news in
      switch news {
      case .event(let event): onEvent(event)
      case .withdraw(let entry, let error): context.withdraw(entry, because: error)
      case .replaced(let entry): context.sendToAllLoops(.withdraw(entry, .removed))
      }
    }
    epoll = try Epoll()
    try epoll.add(mailbox.number, token: FolderFollower.mailboxToken, .readable)
    if let number = folder.number { try epoll.add(number, token: FolderFollower.folderToken, .readable) }
  }

  /// Starts to follow on a thread of its own.
  static func start(_ follower: FolderFollower) -> Thread {
    // Handed over before the thread starts, and from then on touched by that thread alone.
    nonisolated(unsafe) let follower = follower
    return Thread.start(name: "p2p-folder") { follower.run() }
  }

  private func run() {
    hash(isFirst: true)
    while !isStopped { turn() }
    isStopping.set()
    hashing?.join()
    firstBatch.close()
  }

  private func turn() {
    var hasNews = false
    do {
      try epoll.wait(milliseconds: waitMilliseconds()) { token, _ in
        if token == FolderFollower.folderToken { hasNews = true }
      }
    } catch {
      preconditionFailure("epoll: \(error)")  // EBADF or EINVAL: our own bug
    }
    for command in mailbox.takeAll() { perform(command) }
    if hasNews {
      folder.takeEvents()
      readAgainAt = Clock.monotonicNanoseconds + FolderFollower.pauseNanoseconds
    }
    folder.settle()
    setReading(Clock.monotonicNanoseconds >= readAgainAt)
    if hashing == nil && folder.hasReady { hash(isFirst: false) }
  }

  private func waitMilliseconds() -> Int32 {
    var due = folder.deadline ?? .max
    if !isReading { due = min(due, readAgainAt) }
    if due == .max { return -1 }
    let wait = due - Clock.monotonicNanoseconds
    return wait <= 0 ? 0 : Int32(clamping: (wait + 999_999) / 1_000_000)
  }

  private func setReading(_ reads: Bool) {
    guard reads != isReading, let number = folder.number else { return }
    isReading = reads
    try? epoll.modify(number, token: FolderFollower.folderToken, reads ? .readable : [])
  }

  private func perform(_ command: FollowCommand) {
    switch command {
    case .look(let path): folder.look(at: path)
    case .hashed(let path, let reason): folder.hashed(path, reason)
    case .batchEnded:
      hashing?.join()
      hashing = nil
      folder.batchEnded(wasStopped: shouldStop())
      firstBatch.put(())
      firstBatch.close()
    case .stop: isStopped = true
    }
  }

  /// Hashes the files that are ready; `isFirst`: also if there are none.
  private func hash(isFirst: Bool) {
    let files = folder.takeReady()
    let (context, catalogue, mailbox, onEvent, shouldStop) = (context, catalogue, mailbox, onEvent, shouldStop)
    hashing = Thread.start(name: "p2p-hash") {
      catalogue.load(files, shouldStop: shouldStop) { event in
        switch event {
        case .added(let entry):
          onEvent(event)
          if isFirst { context.sendToAllLoops(.catalogueChanged) }
          mailbox.send(.hashed(path: entry.path, nil))
        case .skipped(let skipped): mailbox.send(.hashed(path: skipped.path, skipped.reason))
        default: onEvent(event)
        }
      }
      mailbox.send(.batchEnded)
    }
  }
}
