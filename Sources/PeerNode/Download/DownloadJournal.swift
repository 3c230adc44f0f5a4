// Performs the actions of the journal's state as jobs of the disk pool, so that no other thread waits for the disk.
import Content
import Posix
import Storage
import Transfer

/// The data that one download keeps on the disk, up to the output's name. Confined to the control thread.
final class DownloadJournal {
  private var state: JournalState
  private let performer: Performer
  private let link: DownloadLink
  private let queue: DiskQueue
  /// Every leaf was written: the state is about to give the output its name.
  private var isCompleted = false

  /// `part` and `file`, if there is a journal, are those of one download; the results of actions go to it.
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

  /// Lets the jobs that wait run. `workEnded` follows.
  func stop() { queue.close(discarding: false) { [link] in link.send(.workEnded) } }

  /// After `stop` and its `workEnded`, and after `completed`: the last job, which gives the output its name.
  func placing(_ late: [JournalEvent], at now: Instant) -> @Sendable () throws(PartFileError) -> Void {
    ending(late, at: now)
  }

  /// After `stop` and its `workEnded`: the last job of a download that failed, which claims what can be claimed. If the disk
  /// failed after `completed`, it claims nothing more, and the output gets no name.
  func keeping(_ late: [JournalEvent], at now: Instant) -> @Sendable () throws(PartFileError) -> Void {
    ending(isCompleted ? [.failed] : late + [.stopped], at: now)
  }

  /// Hands in the events that are left, and performs the actions that follow; after a failure it performs none.
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

/// Performs an action on part file and journal.
private final class Performer: Sendable {
  private let part: any PartStorage
  private let file: JournalFile?
  private let name: String
  private let replaces: Bool
  /// An action has failed: those that wait behind it are not performed.
  private let hasFailed = StopFlag()

  init(part: any PartStorage, file: JournalFile?, name: String, replaces: Bool) {
    self.part = part
    self.file = file
    self.name = name
    self.replaces = replaces
  }

  /// Performs an action unless one before it has failed, and reports its end to the download.
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

  /// The event that reports the end of the action.
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
