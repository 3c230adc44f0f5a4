// Lets a program see who fetches the contents that it offers, and when a peer has all of one.
import Content
import Posix
import Synchronization
import Transfer
import Wire

/// Watches the fetches of some contents. A program makes one, hands it to a node in `NodeConfiguration.fetchWatch`, and
/// names the contents with `watch`. A node without a watch counts nothing. Guards itself.
public final class FetchWatch: Sendable {
  /// A fetch at one moment.
  public struct Fetch: Hashable, Sendable {
    public let peer: PeerID
    /// Where the peer came from last.
    public let address: Endpoint
    /// The content: of a folder, its files.
    public let content: FileID
    /// Bytes of the content.
    public let byteCount: UInt64
    /// Bytes that were sent; what was sent again counts once.
    public let sentByteCount: UInt64
    /// Since the peer opened the content.
    public let duration: Duration
  }

  public enum Event: Sendable {
    /// A peer has opened the content, for the first time or again.
    case began(Fetch)
    /// The peer was sent all of the content, and asks for nothing more.
    case complete(Fetch)
    /// The peer left before it was sent all of the content.
    case left(Fetch)
  }

  private struct State {
    var tally = FetchTally()
    var contents: Set<FileID> = []
    var addresses: [PeerID: Endpoint] = [:]
  }
  private let state = Mutex(State())
  private let onEvent: @Sendable (Event) -> Void

  /// - `onEvent`: called on threads of the node, which must not wait.
  public init(onEvent: @escaping @Sendable (Event) -> Void) { self.onEvent = onEvent }

  /// Watches these contents from now on. What peers have open already is not seen.
  public func watch(_ contents: Set<FileID>) { state.withLock { $0.contents = contents } }

  /// The fetches of peers that are connected, in the order in which they began.
  public var running: [Fetch] {
    let now = FetchWatch.now
    return state.withLock { state in state.tally.running.map { FetchWatch.fetch($0, state, at: now) } }
  }

  /// Reports fetches whose peers keep the content open and have asked for nothing for a while. To be called now and then.
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

  /// - `isDone`: the peer gave the content back, or said that it is done.
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
