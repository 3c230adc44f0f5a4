// Compares the data of an earlier download with chunk hashes as they become known, on all cores.
import Content
import Posix
import Storage
import Synchronization
import Transfer

/// Compares the part file of an earlier download page by page. Each page is a job of the disk pool. Confined to the
/// control thread.
final class DownloadResumer {
  private let part: any PartStorage
  private let layout: ChunkLayout
  private let resume: JournalResume
  private let link: DownloadLink
  private let queue: DiskQueue
  private let isStopped = StopFlag()

  /// The download gets the matching leaves as `resumed`, one message per page.
  init(_ part: any PartStorage, _ layout: ChunkLayout, _ resume: JournalResume, _ link: DownloadLink) {
    (self.part, self.layout, self.resume, self.link) = (part, layout, resume, link)
    queue = link.threads.disk.queue(isLong: true)
  }

  /// Compares the chunks of a page that was verified against the root.
  /// - `id`: the connection that the page came from; nil: it came from the journal.
  func compare(_ page: HashPage, from id: ConnectionID?) {
    queue.run { [part, layout, resume, link, isStopped] in
      let chunks = resume.chunks(of: page, in: PageLayout(layout))
      do throws(PartFileError) {
        let leaves = try part.verifiedLeaves(of: chunks, in: layout) { isStopped.isSet }
        link.send(.resumed(id, page, leaves, JournalEvent.found(leaves, among: chunks)))
      } catch {
        link.send(.writeFailed(error))
      }
    }
  }

  /// Compares the chunks whose hashes come from the listing of a folder, some at a time. Sends `comparedShared` after
  /// each group.
  func compareSharedChunks(of folder: FolderLayout) {
    queue.run { [part, layout, resume, link, isStopped] in
      do throws(PartFileError) {
        var next = 0
        repeat {
          let chunks = resume.sharedChunks(of: folder, from: next)
          next += chunks.count
          let leaves = try part.verifiedLeaves(of: chunks, in: layout) { isStopped.isSet }
          let events = JournalEvent.found(leaves, among: chunks)
          link.send(.comparedShared(leaves, events, isLast: next >= folder.sharedChunks.count))
        } while next < folder.sharedChunks.count && !isStopped.isSet
      } catch {
        link.send(.writeFailed(error))
      }
    }
  }

  /// Asks the work to end soon, and drops waiting pages. Then sends `workEnded`.
  func stop() {
    isStopped.set()
    queue.close(discarding: true) { [link] in link.send(.workEnded) }
  }
}
