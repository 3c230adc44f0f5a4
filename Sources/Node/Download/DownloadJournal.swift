// Performs the actions of the journal's state. A thread of its own waits for the disk, so that no other thread has to.
import Content
import Posix
import Storage
import Transfer

/// The data that one download keeps on the disk, up to the output's name. Confined to the control thread.
final class DownloadJournal {
  private var state: JournalState
  private let performer: Performer
  private let actions = BlockingQueue<JournalAction>()
  private var thread: Thread?

  /// `part` and `file`, if there is a journal, are those of one download; the results of actions go to `control`.
  init(
    _ state: JournalState, part: PartFile, file: JournalFile?, name: String, replaces: Bool,
    control: Mailbox<DownloadMessage>
  ) {
    self.state = state
    let performer = Performer(part: part, file: file, name: name, replaces: replaces)
    self.performer = performer
    let actions = self.actions
    thread = Thread.start(name: "p2p-journal") {
      while let action = actions.take() {
        do throws(PartFileError) {
          if let event = try performer.perform(action) { control.send(.journal(event)) }
        } catch {
          control.send(.journal(.failed))
          control.send(.writeFailed(error))
          return
        }
      }
    }
  }

  var deadline: Instant? { state.deadline }

  func handle(_ event: JournalEvent, at now: Instant) {
    state.handle(event, at: now)
    while let action = state.nextAction() { actions.put(action) }
  }

  /// Lets the thread finish its actions, and waits for its end.
  func stop() {
    actions.close()
    if let thread = thread.take() { thread.join() }
  }

  /// After `stop`: hands in the events that are left, and `stopped` unless `completed` was handed in before. Performs
  /// the actions that follow on the calling thread; after a failure it performs none.
  func end(_ events: [JournalEvent], at now: Instant) throws(PartFileError) {
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

/// Performs an action on part file and journal.
private final class Performer: Sendable {
  private let part: PartFile
  private let file: JournalFile?
  private let name: String
  private let replaces: Bool

  init(part: PartFile, file: JournalFile?, name: String, replaces: Bool) {
    self.part = part
    self.file = file
    self.name = name
    self.replaces = replaces
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
