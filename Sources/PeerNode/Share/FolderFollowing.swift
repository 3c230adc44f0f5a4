// The way to the thread that follows the served folders of a node. The thread starts with the first of them.
import Posix

/// Any thread may use it.
final class FolderFollowing: Sendable {
  private struct State: Sendable {
    /// Nil before the first folder.
    var thread: Thread?
    /// The thread was told to stop.
    var isStopped = false
    var isOver = false
  }

  private let mailbox: Mailbox<FollowCommand>
  /// Held while the thread gets a command for a folder, so that none comes after `.stop`.
  private let state = Monitor(State())

  init() throws(Errno) { mailbox = try Mailbox() }

  /// Hands a folder to the thread that follows all of them. Starts the thread first if there is none. After `stop` the
  /// folder has no first batch.
  func follow(_ folder: FollowedShare, for context: NodeContext) throws(Errno) {
    let result = state.change { state -> Result<Void, Errno> in
      if state.isStopped { return .success(folder.firstBatch.close()) }
      do throws(Errno) {
        if state.thread == nil { state.thread = FolderFollower.start(try FolderFollower(context, mailbox)) }
      } catch {
        return .failure(error)
      }
      return .success(mailbox.send(.follow(folder)))
    }
    try result.get()
  }

  /// Looks again at the file at a path: a connection found that it has changed since it was hashed.
  func look(at path: String, in folder: FolderShare) { mailbox.send(.look(at: path, in: folder)) }

  /// Returns when no thread follows the folder, also if it is not followed.
  func unfollow(_ folder: FolderShare) {
    let ended = BlockingQueue<Void>()
    state.change { state in
      guard state.thread != nil, !state.isStopped else { return ended.close() }
      mailbox.send(.unfollow(folder, ended: ended))
    }
    _ = ended.take()
    state.wait { $0.isStopped && !$0.isOver ? nil : () }
  }

  /// Follows no folder any more. Called once.
  func stop() {
    let thread = state.change { state in
      mailbox.send(.stop)
      state.isStopped = true
      return state.thread
    }
    thread?.join()
    state.change { $0.isOver = true }
  }
}
