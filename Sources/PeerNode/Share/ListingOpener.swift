// Reads long listings for peers that open them, on its own thread, because a loop that waits for the disk sends
// nothing.
import Posix
import Storage

/// Prepares listings, and the contents of listings, for an OPEN. Any thread may call it.
final class ListingOpener: Sendable {
  /// How long contents stay ready. The peers that asked for them ask again at once. Files that came or went meanwhile
  /// do not make them stale, or contents that keep changing would never be ready.
  private static let readyNanoseconds: Int64 = 2_000_000_000

  private struct Item: Sendable {
    let listed: ListedContent
    let share: FolderShare
    var key: Key { Key(listed) }
  }
  private struct Key: Hashable {
    let listing: ObjectIdentifier
    let isContents: Bool

    init(_ listed: ListedContent) {
      listing = ObjectIdentifier(listed.listing)
      isContents = listed.kind == .folderContents
    }
  }
  /// A prepared source, or the fact that the listing cannot be read.
  private struct Ready: Sendable {
    let source: ServedSource?
    /// Keeps the listing alive, so that no other object gets its `ObjectIdentifier`.
    let listed: ListedContent
    let until: Int64
  }
  private struct State: Sendable {
    var waiting: [Item] = []
    var ready: [Key: Ready] = [:]
    var isRunning = false
    var isStopped = false

    mutating func dropOld(at now: Int64) { ready = ready.filter { $0.value.until > now } }
  }
  private let state = Monitor(State())

  /// The number of listings read so far.
  private let readCount = Monitor(0)
  var openedCount: Int { readCount.change { $0 } }

  enum Answer {
    case source(ServedSource)
    /// `catalogueChanged` says when to ask again.
    case later
    case unreadable
  }

  /// Returns the source of a listing or of its contents, or starts to prepare it. Never waits for the disk.
  func source(_ listed: ListedContent, of share: FolderShare, _ context: NodeContext) -> Answer {
    if let source = ListingOpener.sourceNow(listed, of: share) { return .source(source) }
    let now = Clock.monotonicNanoseconds
    let item = Item(listed: listed, share: share)
    var starts = false
    let answer: Answer = state.change { state in
      state.dropOld(at: now)
      if let ready = state.ready[item.key] { return ready.source.map { .source($0) } ?? .unreadable }
      if state.isStopped { return .unreadable }
      if !state.waiting.contains(where: { $0.key == item.key }) { state.waiting.append(item) }
      starts = !state.isRunning
      state.isRunning = true
      return .later
    }
    if starts { Thread.start(name: "p2p-open") { self.run(context) }.detach() }
    return answer
  }

  /// Returns the source if that is cheap: the listing is in memory, and the leaves that are absent are known or quick
  /// to find.
  private static func sourceNow(_ listed: ListedContent, of share: FolderShare) -> ServedSource? {
    let listings = share.catalogue.listings
    guard let loaded = listings.loadedNow(listed.listing) else { return nil }
    if listed.kind == .folder { return .listing(OpenListing(listing: listed.listing, loaded: loaded, share: share)) }
    guard
      listed.listing.length <= FolderListings.bytesReadAtOnce
        || loaded.knowsAbsentLeaves(at: share.context.offered.changeCount)
    else { return nil }
    return .contents(OpenContents(listed.listing, loaded, share))
  }

  /// Stops, and returns when the thread has ended: after the listing that it reads now.
  func stop() {
    state.change { state in
      state.isStopped = true
      state.waiting = []
    }
    state.wait { $0.isRunning ? nil : () }
    state.change { $0.ready = [:] }
  }

  // MARK: The thread

  /// Prepares the waiting items one after the other, until none waits.
  private func run(_ context: NodeContext) {
    while let item = next() {
      let source = context.offered.source(item.listed, of: item.share)
      let until = Clock.monotonicNanoseconds + ListingOpener.readyNanoseconds
      state.change { state in
        state.waiting.removeAll { $0.key == item.key }
        state.ready[item.key] = Ready(source: source, listed: item.listed, until: until)
      }
      readCount.change { $0 += 1 }
      context.sendToAllLoops(.catalogueChanged)
    }
  }

  private func next() -> Item? {
    state.change { state in
      state.isRunning = !state.waiting.isEmpty
      return state.waiting.first
    }
  }
}
