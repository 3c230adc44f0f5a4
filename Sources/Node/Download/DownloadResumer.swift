// Compares the data of an earlier download with the chunk hashes as they become known, on all cores.
import Content
import Posix
import Storage
import Transfer

/// The part file of an earlier download, looked at page by page. Confined to the control thread.
final class DownloadResumer {
  private let pages = BlockingQueue<(ConnectionID?, HashPage)>()
  private var thread: Thread?

  /// The leaves that match go to `control` as `resumed`, one message a page.
  init(_ part: PartFile, _ layout: ChunkLayout, _ resume: JournalResume, control: Mailbox<DownloadMessage>) {
    let pages = self.pages
    thread = Thread.start(name: "p2p-resume") {
      while let (id, page) = pages.take() {
        let chunks = resume.chunks(of: page, in: PageLayout(layout))
        do throws(PartFileError) {
          let leaves = try part.verifiedLeaves(of: chunks, in: layout) { pages.isOver }
          control.send(.resumed(id, page, leaves, JournalEvent.found(leaves, among: chunks)))
        } catch {
          control.send(.writeFailed(error))
        }
      }
    }
  }

  /// A page that leads to the root, from a peer or from the journal (nil).
  func compare(_ page: HashPage, from id: ConnectionID?) { pages.put((id, page)) }

  /// Ends soon; pages that wait are dropped.
  func stop() {
    pages.close(discarding: true)
    if let thread = thread.take() { thread.join() }
  }
}
