// How a download gives to other peers what it has got so far, and for how long it stays once it is complete.
import Content
import Storage
import Transfer
import Wire

/// The served side of one download, as the control thread sees it. Confined to that thread.
final class DownloadSharing {
  /// Leaves that were verified are announced as often as this: often enough that no peer waits for a whole chunk, and
  /// seldom enough that it costs nothing.
  private static let newsInterval = Duration.milliseconds(50)

  /// The part of the file that other peers may have; no peer can ask for it if `sharing` is nil.
  let shared: SharedDownload
  private let sharing: Sharing?
  private let context: NodeContext
  /// Nothing is announced before.
  private var announceAgainAt: Instant

  /// - `sharing`: nil: other peers get nothing.
  init(_ sharing: Sharing?, _ shared: SharedDownload, _ context: NodeContext, at now: Instant) {
    self.shared = shared
    self.sharing = sharing
    self.context = context
    announceAgainAt = now
    if sharing != nil { context.shared = shared }
  }

  /// When there is something to announce.
  var deadline: Instant? { shared.hasNews ? announceAgainAt : nil }

  func fire(at now: Instant) { if now >= announceAgainAt, shared.hasNews { announce(at: now) } }

  /// Announces the leaves that were verified since the last time.
  func announce(at now: Instant) {
    announceAgainAt = now + DownloadSharing.newsInterval
    let runs = shared.takeNews()
    if context.shared != nil, !runs.isEmpty { context.tellAllLoops(.announce(runs)) }
  }

  /// The place of the file is ready. Peers that opened the file before are answered.
  func begin(_ manifest: Manifest, _ place: DownloadOutput.Place) {
    switch place {
    case .unknown, .stream: shared.begin(manifest, nil)
    case .found(let file): shared.begin(manifest, file)
    case .part(let part): shared.begin(manifest, .part(part.file))
    }
    if context.shared != nil { context.tellAllLoops(.catalogueChanged) }
  }

  /// Nothing more is fetched. Connections of peers that fetch from here stay. Returns false if no peer can.
  func stopFetching(at now: Instant) -> Bool {
    shared.stopFetching()
    announce(at: now)
    guard context.shared != nil else { return false }
    context.tellAllLoops(.stopFetching)
    return true
  }

  // MARK: After the end

  /// Whether the finished file stays offered.
  var stays: Bool { sharing?.stay != nil }

  /// When the stay is over; nil: only when it is cancelled.
  func end(from now: Instant) -> Instant? {
    if case .for(let duration)? = sharing?.stay { now + duration } else { nil }
  }

  /// From now on other programs may change the output.
  func watch(_ part: PartFile, name: String) {
    do throws(StoredFileError) { shared.finish(try part.finished(as: name)) } catch {
      // Without a descriptor it cannot be found out later whether the output is still the file that was fetched.
      if case .busy(let errno) = error { return context.withdraw(shared, because: .unreadable(errno)) }
      context.withdraw(shared, because: error)
    }
  }
}
