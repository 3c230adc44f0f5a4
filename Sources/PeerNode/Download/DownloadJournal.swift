// Performs the actions of `JournalState` as jobs of the disk pool, so that no other thread waits for the disk.
import Content
import Posix
import Storage
import Transfer

/// Keeps the data of one download on the disk, from the first sync to the output's final name. Confined to the control
/// thread.
final class DownloadJournal {
  private var state: JournalState
  private let performer: Performer
  private let link: DownloadLink
  private let queue: DiskQueue
  /// Whether every leaf was written. The output is about to get its name.
  private var isCompleted = false

  /// - `part`: the part file of the download.
  /// - `file`: its journal file; nil: it has none.
  /// - `link`: the download that gets the results of actions.
  init(
    _ state: JournalState, part: any PartStorage, file: JournalFile?, name: String, replaces: Bool, _ link: DownloadLink
  ) {
    self.state = state
    self.link = link
    performer = Performer(part: part, file: file, name: name, replaces: replaces)
    queue = link.threads.disk.queue()
  }

  var deadline: Instant? { state.deadline }

  func handle(_ event: JournalEvent, at now: Instant) {
    if case .completed = event { isCompleted = true }
    state.handle(event, at: now)
    while let action = state.nextAction() {
      queue.run { [performer, link] in performer.run(action, link) }
    }
  }

  /// Runs the waiting jobs and ends the queue. Then sends `workEnded`.
  func stop() { queue.close(discarding: false) { [link] in link.send(.workEnded) } }

  /// Returns the last job, which gives the output its name. Called after `completed`, `stop` and `workEnded`.
  func placing(_ late: [JournalEvent], at now: Instant) -> @Sendable () throws(PartFileError) -> Void {
    ending(late, at: now)
  }

  /// Returns the last job of a failed download, which enters verified data in the journal as far as possible. If the
  /// disk failed after `completed`, it enters nothing more, and the output gets no name. Called after `stop` and
  /// `workEnded`.
  func keeping(_ late: [JournalEvent], at now: Instant) -> @Sendable () throws(PartFileError) -> Void {
    ending(isCompleted ? [.failed] : late + [.stopped], at: now)
  }

  /// Returns a job that handles the remaining events and performs their actions, up to the first failure.
  private func ending(_ events: [JournalEvent], at now: Instant) -> @Sendable () throws(PartFileError) -> Void {
    let (last, performer) = (state, performer)
    return { () throws(PartFileError) in
      var state = last
      for event in events {
        state.handle(event, at: now)
        while let action = state.nextAction() {
          do throws(PartFileError) {
            if let event = try performer.perform(action) { state.handle(event, at: now) }
          } catch {
            state.handle(.failed, at: now)
            throw error
          }
        }
      }
    }
  }
}

/// Performs actions on part file and journal.
private final class Performer: Sendable {
  private let part: any PartStorage
  private let file: JournalFile?
  private let name: String
  private let replaces: Bool
  /// Set when an action has failed. The actions behind it are then skipped.
  private let hasFailed = StopFlag()

  init(part: any PartStorage, file: JournalFile?, name: String, replaces: Bool) {
    self.part = part
    self.file = file
    self.name = name
    self.replaces = replaces
  }

  /// Performs an action unless an earlier one has failed, and reports its end to the download.
  func run(_ action: JournalAction, _ link: DownloadLink) {
    guard !hasFailed.isSet else { return }
    do throws(PartFileError) {
      if let event = try perform(action) { link.send(.journal(event)) }
    } catch {
      hasFailed.set()
      link.send(.journal(.failed))
      link.send(.writeFailed(error))
    }
  }

  /// Performs an action. Returns the event that reports its end.
  func perform(_ action: JournalAction) throws(PartFileError) -> JournalEvent? {
    switch action {
    case .syncData:
      try part.syncData()
      return .dataSynced
    case .append(let bytes): try file?.append(bytes)
    case .syncJournal:
      try file?.syncData()
      try part.syncFolder()
      return .journalSynced
    case .place: try part.place(as: name, force: replaces)
    case .syncFolder: try part.syncFolder()
    case .removeJournal:
      part.removeJournal()
      return .placed
    }
    return nil
  }
}
