// The thread of a node that watches its folders: it serves new files and withdraws files that are gone.
// Another thread hashes the files, so that this one never waits for a disk.
import Posix
import Storage

/// A folder to follow, and the receivers of the reports about it.
struct FollowedShare: Sendable {
  let share: FolderShare
  /// Whether hashing should end soon.
  let shouldStop: @Sendable () -> Bool
  /// Gets one element: success when the first batch of files is hashed, or the reason why none will be.
  let firstBatch: BlockingQueue<Result<Void, Errno>>
  let onEvent: @Sendable (CatalogueEvent) -> Void
}

/// A message to the thread that follows the folders.
enum FollowCommand: Sendable {
  case follow(FollowedShare)
  /// Stop following the folder. `ended` is closed when no thread uses the folder.
  case unfollow(FolderShare, ended: BlockingQueue<Void>)
  /// A connection found that a file has changed since it was hashed.
  case look(at: String, in: FolderShare)
  case hashed([EndedFile], in: FolderShare)
  case batchEnded(FolderShare)
  case listed(folder: String, in: FolderShare, ListingError?, tookNanoseconds: Int64)
  case listingsEnded(FolderShare)
  case stop
}

/// All watched folders of a node and the loop around them, confined to its own thread.
final class FolderFollower {
  /// The least time between two reads of a folder's events, so that many small writes to a file count as one change.
  private static let pauseNanoseconds: Int64 = 10_000_000
  private static let mailboxToken: UInt64 = 0

  /// One folder.
  final class Followed {
    let followed: FollowedShare
    let folder: WatchedFolder
    let token: UInt64
    var hasNews = false
    var isReading = true
    var readAgainAt: Int64 = 0
    /// Whether the files that the folder had at the start are not all hashed. They take one batch or more; no files at
    /// all take one.
    var isFirstBatch = true
    /// Whether its first batch is hashed and its folders are not listed yet.
    var awaitsListings = false

    init(_ followed: FollowedShare, _ folder: WatchedFolder, token: UInt64) {
      (self.followed, self.folder, self.token) = (followed, folder, token)
    }
  }

  let context: NodeContext
  let mailbox: Mailbox<FollowCommand>
  private var epoll: Epoll
  /// In the order in which they take turns to be hashed.
  var folders: [Followed] = []
  private var nextToken = FolderFollower.mailboxToken + 1
  /// The thread that hashes files of a folder, or lists folders below it. Only one runs at a time, since it uses all
  /// cores.
  var work: (thread: Thread, of: Followed)?
  /// Set when the follower stops. It ends hashing that still runs.
  let isStopped = StopFlag()

  /// - `mailbox`: receives the commands.
  init(_ context: NodeContext, _ mailbox: Mailbox<FollowCommand>) throws(Errno) {
    self.context = context
    self.mailbox = mailbox
    epoll = try Epoll()
    try epoll.add(mailbox.number, token: FolderFollower.mailboxToken, .readable)
  }

  /// Starts to follow on a thread of its own.
  static func start(_ follower: FolderFollower) -> Thread {
    // Safe: it is handed over before the thread starts, and from then on only that thread touches it.
    nonisolated(unsafe) let follower = follower
    return Thread.start(name: "p2p-folder") { follower.run() }
  }

  private func run() {
    while !isStopped.isSet { turn() }
    work?.thread.join()
    for followed in folders { followed.followed.firstBatch.close() }
  }

  private func turn() {
    do {
      try epoll.wait(milliseconds: waitMilliseconds()) { token, _ in
        folders.first { $0.token == token }?.hasNews = true
      }
    } catch {
      preconditionFailure("epoll: \(error)")  // EBADF or EINVAL: our own bug
    }
    for command in mailbox.takeAll() { perform(command) }
    for followed in folders { settle(followed) }
    if work == nil { startWork() }
  }

  /// Starts the next hashing or listing. First batches come first: the hashes of most of their files are often known
  /// from an earlier run. Then folders take turns, so that a busy one does not keep the others waiting. Listings are
  /// seldom due, and go before hashing.
  private func startWork() {
    if let next = folders.first(where: \.isFirstBatch) { return hash(next) }
    for followed in folders {
      let due = followed.folder.takeDueListings()
      if !due.isEmpty { return list(due, of: followed) }
      endFirstBatch(of: followed)
    }
    if let next = folders.first(where: \.folder.hasReady) { hash(next) }
  }

  private func settle(_ followed: Followed) {
    let folder = followed.folder
    if followed.hasNews {
      followed.hasNews = false
      folder.takeEvents()
      followed.readAgainAt = Clock.monotonicNanoseconds + FolderFollower.pauseNanoseconds
    }
    folder.settle()
    let reads = Clock.monotonicNanoseconds >= followed.readAgainAt
    guard reads != followed.isReading, let number = folder.number else { return }
    followed.isReading = reads
    try? epoll.modify(number, token: followed.token, reads ? .readable : [])
  }

  private func waitMilliseconds() -> Int32 {
    var due = Int64.max
    for followed in folders {
      due = min(due, followed.folder.deadline ?? .max)
      if !followed.isReading { due = min(due, followed.readAgainAt) }
    }
    if due == .max { return -1 }
    let wait = due - Clock.monotonicNanoseconds
    return wait <= 0 ? 0 : Int32(clamping: (wait + 999_999) / 1_000_000)
  }

  // MARK: Commands

  private func perform(_ command: FollowCommand) {
    switch command {
    case .follow(let followed):
      do throws(Errno) { try follow(followed) } catch { followed.firstBatch.put(.failure(error)) }
    case .unfollow(let share, let ended):
      unfollow(share)
      ended.close()
    case .look(let path, let share): followed(share)?.folder.look(at: path)
    case .hashed(let files, let share):
      guard let folder = followed(share)?.folder else { break }
      for file in files { folder.hashed(file.path, file.skipped) }
    case .batchEnded(let share): if work?.of.followed.share === share { batchEnded() }
    case .listed(let folder, let share, let failure, let took):
      followed(share)?.folder.listed(folder, failure, tookNanoseconds: took)
    case .listingsEnded(let share): if work?.of.followed.share === share { listingsEnded() }
    case .stop: isStopped.set()
    }
  }

  private func followed(_ share: FolderShare) -> Followed? { folders.first { $0.followed.share === share } }

  private func follow(_ followed: FollowedShare) throws(Errno) {
    guard !followed.share.isStopping else { return followed.firstBatch.close() }
    let (context, share, onEvent) = (self.context, followed.share, followed.onEvent)
    let folder = try WatchedFolder(share.catalogue, now: { Clock.monotonicNanoseconds }) { news in
      switch news {
      case .event(let event): onEvent(event)
      case .withdraw(let entry, let error): context.withdraw(entry, of: share, because: error)
      case .replaced(let entry): context.sendToAllLoops(.withdraw(entry, .removed))
      }
    }
    if let number = folder.number { try epoll.add(number, token: nextToken, .readable) }
    folders.append(Followed(followed, folder, token: nextToken))
    // Files whose hashes the database already had can be opened now.
    context.sendToAllLoops(.catalogueChanged)
    nextToken += 1
  }

  private func unfollow(_ share: FolderShare) {
    guard let followed = followed(share) else { return }
    if work?.of === followed { work.take()?.thread.join() }  // it ends soon, since the share is stopping
    if let number = followed.folder.number { try? epoll.remove(number) }
    folders.removeAll { $0 === followed }
    followed.followed.firstBatch.close()
  }

  // MARK: Hashing

  private func hash(_ followed: Followed) {
    let progress = followed.folder.progress
    let files = followed.folder.takeReady()
    let isFirst = followed.isFirstBatch
    let (context, mailbox, batch, isStopped) = (context, mailbox, followed.followed, isStopped)
    let share = batch.share
    let thread = Thread.start(name: "p2p-hash") {
      share.catalogue.load(
        files, after: progress, shouldStop: { isStopped.isSet || batch.shouldStop() },
        onEnded: { files in
          if isFirst { context.sendToAllLoops(.catalogueChanged) }
          mailbox.send(.hashed(files, in: share))
        },
        onEvent: { event in
          // `WatchedFolder` reports files that stay skipped.
          if case .skipped = event { return }
          batch.onEvent(event)
        })
      mailbox.send(.batchEnded(share))
    }
    work = (thread, followed)
    folders.removeAll { $0 === followed }
    folders.append(followed)
  }

  /// Waits for the hashing thread, which has ended or ends soon.
  private func batchEnded() {
    guard let (thread, followed) = work.take() else { return }
    thread.join()
    let wasStopped = followed.followed.shouldStop()
    followed.folder.batchEnded(wasStopped: wasStopped)
    // Very many files are hashed in several batches.
    if followed.isFirstBatch, followed.folder.isFirstBatch, !wasStopped { return }
    followed.followed.onEvent(.hashingEnded)
    if followed.isFirstBatch { FolderFollower.trim(after: followed.followed.share) }
    followed.isFirstBatch = false
    followed.awaitsListings = true
    if wasStopped { endFirstBatch(of: followed) }
  }

  /// Reports the first batch as done. Its files are served, and folders in which nothing changes have their IDs.
  func endFirstBatch(of followed: Followed) {
    guard followed.awaitsListings else { return }
    followed.awaitsListings = false
    followed.followed.firstBatch.put(.success(()))
    followed.followed.firstBatch.close()
  }
}
