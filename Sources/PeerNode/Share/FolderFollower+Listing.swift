// Makes the listings of followed folders, on a thread that takes the place of the hashing thread.
import Posix
import Storage

extension FolderFollower {
  /// Lists folders of a share, one after the other.
  func list(_ due: [String], of followed: Followed) {
    let (leftOut, areSeen) = (followed.folder.leftOutFiles, followed.folder.hasJustLooked)
    let (context, mailbox, batch, isStopped) = (context, mailbox, followed.followed, isStopped)
    let share = batch.share
    let thread = Thread.start(name: "p2p-list") {
      for folder in due where !isStopped.isSet && !batch.shouldStop() {
        let start = Clock.monotonicNanoseconds
        var failure: ListingError?
        do throws(ListingError) {
          if let listed = try share.catalogue.makeListing(of: folder, leavingOut: leftOut, areSeen: areSeen) {
            batch.onEvent(.listed(listed))
            context.sendToAllLoops(.catalogueChanged)
          }
        } catch {
          failure = error
        }
        FolderFollower.trim(after: share)
        let took = Clock.monotonicNanoseconds - start
        mailbox.send(.listed(folder: folder, in: share, failure, tookNanoseconds: took))
      }
      mailbox.send(.listingsEnded(share))
    }
    work = (thread, followed)
  }

  /// Returns memory to the system that hashing or listing very many files needed for a moment.
  static func trim(after share: FolderShare) {
    if share.served.files >= 10_000 { Memory.trim() }
  }

  /// Waits for the listing thread, which has ended.
  func listingsEnded() {
    guard let (thread, followed) = work.take() else { return }
    thread.join()
    endFirstBatch(of: followed)
  }
}
