// Reports to a program which peers fetch the contents that it offers, and when a peer has a whole content.
import Content
import Posix
import Synchronization
import Transfer
import Wire

/// Watches the fetches of some contents. A program makes a watch, sets it as `NodeConfiguration.fetchWatch`, and names
/// the contents with `watch`. A node without a watch counts no fetches. Any thread may call it.
public final class FetchWatch: Sendable {
  /// A fetch at one moment.
  public struct Fetch: Hashable, Sendable {
    public let peer: PeerID
    /// The address of the peer's latest connection.
    public let address: Endpoint
    /// The content. For a folder, the ID of its contents, not of its listing.
    public let content: FileID
    /// The length of the content in bytes.
    public let byteCount: UInt64
    /// Bytes that were sent. Bytes that were sent again count once.
    public let sentByteCount: UInt64
    /// The time since the peer opened the content.
    public let duration: Duration
  }

  public enum Event: Sendable {
    /// A peer has opened the content, for the first time or again.
    case began(Fetch)
    /// The peer was sent the whole content and requests nothing more.
    case complete(Fetch)
    /// The peer left before it was sent the whole content.
    case left(Fetch)
  }

  private struct State {
    var tally = FetchTally()
    var contents: Set<FileID> = []
    var addresses: [PeerID: Endpoint] = [:]
  }
  private let state = Mutex(State())
  private let onEvent: @Sendable (Event) -> Void

  /// - `onEvent`: called on threads of the node. It must not wait.
  public init(onEvent: @escaping @Sendable (Event) -> Void) { self.onEvent = onEvent }

  /// Watches these contents from now on. Contents that peers have open already are not reported.
  public func watch(_ contents: Set<FileID>) { state.withLock { $0.contents = contents } }

  /// The fetches of connected peers, in the order in which they began.
  public var running: [Fetch] {
    let now = FetchWatch.now
    return state.withLock { state in state.tally.running.map { FetchWatch.fetch($0, state, at: now) } }
  }

  /// Reports complete fetches whose peers keep the content open but have requested nothing for a while. Call it now and
  /// then.
  public func settle() {
    let now = FetchWatch.now
    let rested = state.withLock { state in state.tally.settle(at: now).map { FetchWatch.fetch($0, state, at: now) } }
    for fetch in rested { onEvent(.complete(fetch)) }
  }

  private static var now: Instant { Instant(nanoseconds: Clock.monotonicNanoseconds) }

  private static func fetch(_ fetch: FetchTally.Fetch, _ state: borrowing State, at now: Instant) -> Fetch {
    Fetch(
      peer: fetch.key.peer, address: state.addresses[fetch.key.peer] ?? .any(port: 0), content: fetch.key.content,
      byteCount: fetch.byteCount, sentByteCount: fetch.sentByteCount, duration: now - fetch.began)
  }

  // MARK: The connections

  func opened(_ content: FileID, _ layout: ChunkLayout, by peer: PeerID, at address: Endpoint) {
    let now = FetchWatch.now
    let begun = state.withLock { state -> Fetch? in
      guard state.contents.contains(content) else { return nil }
      state.addresses[peer] = address
      return state.tally.opened(FetchTally.Key(peer: peer, content: content), layout, at: now).map {
        FetchWatch.fetch($0, state, at: now)
      }
    }
    if let begun { onEvent(.began(begun)) }
  }

  func asked(_ leaves: LeafRange, of chunk: ChunkIndex, in content: FileID, by peer: PeerID) {
    let now = FetchWatch.now
    state.withLock { $0.tally.asked(leaves, of: chunk, FetchTally.Key(peer: peer, content: content), at: now) }
  }

  func sent(_ leaves: LeafRange, of chunk: ChunkIndex, in content: FileID, to peer: PeerID) {
    let now = FetchWatch.now
    state.withLock { $0.tally.sent(leaves, of: chunk, FetchTally.Key(peer: peer, content: content), at: now) }
  }

  /// - `isDone`: the peer closed the content, or its GOODBYE said that it is done.
  func closed(_ content: FileID, by peer: PeerID, isDone: Bool) {
    let now = FetchWatch.now
    let event = state.withLock { state -> Event? in
      let ending = state.tally.closed(FetchTally.Key(peer: peer, content: content), isDone: isDone)
      let event: Event? =
        switch ending {
        case .complete(let fetch): .complete(FetchWatch.fetch(fetch, state, at: now))
        case .left(let fetch): .left(FetchWatch.fetch(fetch, state, at: now))
        case nil: nil
        }
      if !state.tally.running.contains(where: { $0.key.peer == peer }) { state.addresses[peer] = nil }
      return event
    }
    if let event { onEvent(event) }
  }
}
