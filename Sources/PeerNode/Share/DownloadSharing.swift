// Offers a download's verified data to other peers, and keeps the finished file offered for a while.
import Content
import Storage
import Transfer
import Wire

/// The served side of one download, as the control thread sees it. Confined to that thread.
final class DownloadSharing {
  /// The part of the file that other peers may fetch. If `sharing` is nil, no peer can open it.
  let share: DownloadShare
  private let sharing: Sharing?
  private let context: NodeContext

  /// - `sharing`: nil: nothing is offered to other peers.
  init(_ sharing: Sharing?, _ share: DownloadShare, _ context: NodeContext) {
    self.share = share
    self.sharing = sharing
    self.context = context
    if sharing != nil { context.offered.add(share) }
  }

  /// Whether other peers may fetch what the download has.
  var isShared: Bool { sharing != nil }
  private var isOffered: Bool { context.offered.has(share) }

  /// When to announce new leaves; nil: there are none.
  var deadline: Instant? { share.newsDeadline }

  func fire(at now: Instant) {
    if let deadline, now >= deadline { announce(at: now) }
  }

  /// Announces the leaves that were verified since the last time.
  func announce(at now: Instant) {
    let runs = share.takeNews(at: now)
    if isOffered, !runs.isEmpty { context.sendToAllLoops(.announce(share, runs)) }
  }

  /// Starts to offer the file when its place is ready. Peers that opened it earlier are answered now.
  func begin(_ manifest: Manifest, _ place: DownloadOutput.Place) {
    switch place {
    case .unknown, .stream: share.begin(manifest, nil)
    case .found(let file): share.begin(manifest, file)
    case .part(let part): share.begin(manifest, .part(part.file))
    }
    if isOffered { context.sendToAllLoops(.catalogueChanged) }
  }

  /// Notes that the download fetches no more. Connections of peers that fetch from it stay open.
  func stopFetching(at now: Instant) {
    share.stopFetching()
    announce(at: now)
  }

  // MARK: After the end

  /// Stops offering the file. Peers that have it open are notified.
  func end() {
    if isOffered {
      context.offered.remove(share)
      context.sendToAllLoops(.withdrawDownload(share, .notOffered))
    }
    share.leave()
  }

  /// Whether the finished file stays offered.
  var stays: Bool { sharing?.stay != nil }

  /// Returns when the finished file stops being offered; nil: only when the download is cancelled.
  func end(from now: Instant) -> Instant? {
    if case .for(let duration)? = sharing?.stay { now + duration } else { nil }
  }

  /// Serves the output from now on, and withdraws it if another program changes it.
  /// - `output`: the file under its name.
  func watch(_ output: Result<any CheckedOutput, StoredFileError>) {
    do throws(StoredFileError) { share.finish(try output.get()) } catch {
      // Without a descriptor, nothing could prove later that the output is still the file that was fetched.
      if case .busy(let errno) = error { return context.withdraw(share, because: .unreadable(errno)) }
      context.withdraw(share, because: error)
    }
  }
}
