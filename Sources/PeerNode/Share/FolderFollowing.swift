// Starts, commands and stops the thread that follows the served folders of a node.
import Posix

/// The follower thread of a node, which starts with the first folder. Any thread may call it.
final class FolderFollowing: Sendable {
  private struct State: Sendable {
    /// Nil before the first folder.
    var thread: Thread?
    /// Whether `stop` was called.
    var isStopped = false
    var isOver = false
  }

  private let mailbox: Mailbox<FollowCommand>
  /// Held while a command for a folder is sent, so that none comes after `.stop`.
  private let state = Monitor(State())

  init() throws(Errno) { mailbox = try Mailbox() }

  /// Hands a folder to the follower thread. Starts the thread first if there is none. After `stop`, closes the folder's
  /// `firstBatch` instead.
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

  /// Asks the thread to look again at the file at a path, since a connection found that it has changed.
  func look(at path: String, in folder: FolderShare) { mailbox.send(.look(at: path, in: folder)) }

  /// Stops following a folder, and returns when no thread uses it. Does nothing if the folder is not followed.
  func unfollow(_ folder: FolderShare) {
    let ended = BlockingQueue<Void>()
    state.change { state in
      guard state.thread != nil, !state.isStopped else { return ended.close() }
      mailbox.send(.unfollow(folder, ended: ended))
    }
    _ = ended.take()
    state.wait { $0.isStopped && !$0.isOver ? nil : () }
  }

  /// Stops following all folders, and ends the thread. Called once.
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
