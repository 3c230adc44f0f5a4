// Performs what the journal's state decides: a thread of its own waits for the disk, so that no other has to.
import Content
import Posix
import Storage
import Transfer

/// What one download keeps on the disk, up to the output's name. Confined to the control thread.
final class DownloadJournal {
  private var state: JournalState
  private let performer: Performer
  private let actions = BlockingQueue<JournalAction>()
  private var thread: Thread?

  /// `part` and `file`, if there is a journal, are those of one download; what comes of the actions goes to `control`.
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

  /// Lets the thread do what it was told, and waits for its end.
  func stop() {
    actions.close()
    if let thread = thread.take() { thread.join() }
  }

  /// After `stop`: hands in what has not been heard, and `stopped` unless `completed` was handed in before; performs on
  /// the calling thread what comes of it. After a failure nothing is.
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

/// Does to part file and journal what an action says.
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

  /// What its end is to be told as.
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
