// Compares the data of an earlier download with the chunk hashes as they become known, on all cores.
import Content
import Posix
import Storage
import Synchronization
import Transfer

/// The part file of an earlier download, looked at page by page: each is a job of the disk pool. Confined to the control
/// thread.
final class DownloadResumer {
  private let part: any PartStorage
  private let layout: ChunkLayout
  private let resume: JournalResume
  private let link: DownloadLink
  private let queue: DiskQueue
  private let isStopped = StopFlag()

  /// The leaves that match go to the download as `resumed`, one message a page.
  init(_ part: any PartStorage, _ layout: ChunkLayout, _ resume: JournalResume, _ link: DownloadLink) {
    (self.part, self.layout, self.resume, self.link) = (part, layout, resume, link)
    queue = link.threads.disk.queue(isLong: true)
  }

  /// A page that leads to the root, from a peer or from the journal (nil).
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

  /// Compares the chunks whose hashes the listing of a folder tells, some at a time. `comparedShared` follows for each
  /// time.
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

  /// Ends soon; pages that wait are dropped. `workEnded` follows.
  func stop() {
    isStopped.set()
    queue.close(discarding: true) { [link] in link.send(.workEnded) }
  }
}
