// How a download gives verified data to other peers, and for how long it stays once it is complete.
import Content
import Storage
import Transfer
import Wire

/// The served side of one download, as the control thread sees it. Confined to that thread.
final class DownloadSharing {
  /// The part of the file that other peers may have; no peer can ask for it if `sharing` is nil.
  let share: DownloadShare
  private let sharing: Sharing?
  private let context: NodeContext

  /// - `sharing`: nil: other peers get nothing.
  init(_ sharing: Sharing?, _ share: DownloadShare, _ context: NodeContext) {
    self.share = share
    self.sharing = sharing
    self.context = context
    if sharing != nil { context.offered.add(share) }
  }

  /// Whether other peers may have what the download has.
  var isShared: Bool { sharing != nil }
  private var isOffered: Bool { context.offered.has(share) }

  /// When there is something to announce.
  var deadline: Instant? { share.newsDeadline }

  func fire(at now: Instant) {
    if let deadline, now >= deadline { announce(at: now) }
  }

  /// Announces the leaves that were verified since the last time.
  func announce(at now: Instant) {
    let runs = share.takeNews(at: now)
    if isOffered, !runs.isEmpty { context.sendToAllLoops(.announce(share, runs)) }
  }

  /// The place of the file is ready. Peers that opened the file before are answered.
  func begin(_ manifest: Manifest, _ place: DownloadOutput.Place) {
    switch place {
    case .unknown, .stream: share.begin(manifest, nil)
    case .found(let file): share.begin(manifest, file)
    case .part(let part): share.begin(manifest, .part(part.file))
    }
    if isOffered { context.sendToAllLoops(.catalogueChanged) }
  }

  /// The download fetches no more. Connections of peers that fetch from it stay.
  func stopFetching(at now: Instant) {
    share.stopFetching()
    announce(at: now)
  }

  // MARK: After the end

  /// The file is offered no longer. Peers that have it open hear of that.
  func end() {
    if isOffered {
      context.offered.remove(share)
      context.sendToAllLoops(.withdrawDownload(share, .notOffered))
    }
    share.leave()
  }

  /// Whether the finished file stays offered.
  var stays: Bool { sharing?.stay != nil }

  /// When the stay is over; nil: only when it is cancelled.
  func end(from now: Instant) -> Instant? {
    if case .for(let duration)? = sharing?.stay { now + duration } else { nil }
  }

  /// From now on other programs may change the output.
  /// - `output`: the file under its name.
  func watch(_ output: Result<any CheckedOutput, StoredFileError>) {
    do throws(StoredFileError) { share.finish(try output.get()) } catch {
      // Without a descriptor it cannot be found out later whether the output is still the file that was fetched.
      if case .busy(let errno) = error { return context.withdraw(share, because: .unreadable(errno)) }
      context.withdraw(share, because: error)
    }
  }
}
