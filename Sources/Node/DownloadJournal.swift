// Performs what the journal's state decides: a thread of its own waits for the disk, so that no other has to.
import Content
import Posix
import Storage
import Transfer

/// The journal of one download. Confined to the control thread.
final class DownloadJournal {
  private var state: JournalState
  private let actions = BlockingQueue<JournalAction>()
  private var thread: Thread?

  /// `part` and `file` are those of one download; what comes of the actions goes to `control`.
  init(_ state: JournalState, part: PartFile, file: JournalFile, control: Mailbox<DownloadMessage>) {
    self.state = state
    let performer = Performer(part: part, file: file, control: control)
    let actions = self.actions
    thread = Thread.start(name: "p2p-journal") {
      while let action = actions.take() { if !performer.perform(action) { return } }
    }
  }

  var deadline: Instant? { state.deadline }

  func handle(_ event: JournalEvent, at now: Instant) {
    state.handle(event, at: now)
    while let action = state.nextAction() { actions.put(action) }
  }

  /// Waits for the action that is being performed; those after it are dropped.
  func stop() {
    actions.close(discarding: true)
    if let thread = thread.take() { thread.join() }
  }
}

/// The journal thread's side.
private final class Performer: Sendable {
  private let part: PartFile
  private let file: JournalFile
  private let control: Mailbox<DownloadMessage>

  init(part: PartFile, file: JournalFile, control: Mailbox<DownloadMessage>) {
    self.part = part
    self.file = file
    self.control = control
  }

  /// False after a failure, after which nothing more is done.
  func perform(_ action: JournalAction) -> Bool {
    do throws(PartFileError) {
      switch action {
      case .syncData:
        try part.syncData()
        control.send(.journal(.dataSynced))
      case .append(let bytes): try file.append(bytes)
      case .syncJournal:
        try file.syncData()
        try part.syncFolder()
        control.send(.journal(.journalSynced))
      }
      return true
    } catch {
      control.send(.journal(.failed))
      control.send(.writeFailed(error))
      return false
    }
  }
}
