// The connections that the downloads of a node share: the loop of each, and the downloads that use it.
import Posix
import Transfer
import Wire

/// Whether a connection ended because of a lie of its peer, and about which content.
enum Lie: Hashable, Sendable {
  case none
  case about(DownloadID)
  /// The peer lied about a content that no download fetches any more.
  case aboutNone
}

/// A report of a loop about a connection that the control thread knows.
enum ConnectionReport: Sendable {
  /// The handshake of a dialled connection is done.
  /// - `requestsMax`: the most unanswered requests that the peer accepts.
  case established(PeerID, requestsMax: Int, zone: ZoneName? = nil)
  /// The peer has opened a download's content here, so it can be asked for the parts that it has.
  case joined(DownloadID, Endpoint, PeerID, requestsMax: Int, zone: ZoneName? = nil)
  /// A download's content was closed on a connection that others use, because its output takes no data.
  case yielded(DownloadID)
  case ended(ConnectionEnd, wasEstablished: Bool, lie: Lie)
}

/// Performs the decisions of `SharedConnections`, and turns reports of the loops into messages for the downloads.
/// Confined to the control thread.
final class NodeConnections {
  typealias Use = SharedConnections.Use

  /// The most dialled connections at a time: a quarter of the descriptors, at least 16 and at most 1,024.
  static var dialledMax: Int { min(1_024, max(16, OpenFileLimit.current / 4)) }

  private let context: NodeContext
  private var shared: SharedConnections
  /// The cipher suite of each connection whose handshake is not done.
  private var suites: [ConnectionToken: CipherSuite] = [:]
  /// Connections that a download closed because its peer lied to it.
  private var banned: [ConnectionToken: DownloadID] = [:]
  private var nextLoop = 0
  /// The download limit, which all downloads share.
  var limiter: DownloadLimiter
  /// The time of the control thread's current turn.
  private var now = Instant.zero

  init(_ context: NodeContext, dialledMax: Int = NodeConnections.dialledMax) {
    self.context = context
    limiter = DownloadLimiter(bytesPerSecond: context.configuration.downloadLimit)
    shared = SharedConnections(dialledMax: dialledMax)
  }

  // MARK: Commands of downloads

  /// Connects a download to an address. A message to the download follows.
  func dial(_ address: PeerAddress, pinned: PeerID?, for use: Use) {
    perform(shared.dial(address, pinned: pinned, for: use, token: newToken(), at: now))
  }

  private func perform(_ dialled: SharedConnections.Dialled) {
    switch dialled {
    case .dial(let token): begin(token, context.configuration.suites[0])
    case .waits: makeRoom()
    case .stands(let token): connectWaiting(on: token)
    }
  }

  private func newToken() -> ConnectionToken {
    nextLoop = (nextLoop + 1) % context.mailboxes.count
    return context.names.take(forLoop: nextLoop)
  }

  private func begin(_ token: ConnectionToken, _ suite: CipherSuite) {
    guard let (address, pinned) = shared.dialled(token) else { return }
    suites[token] = suite
    send(.dial(token, Endpoint(address), pinned: pinned, suite: suite), to: token)
  }

  /// Gives a connection to the downloads that wait for it, as far as it has room.
  private func connectWaiting(on token: ConnectionToken) {
    while let next = shared.nextUse(of: token) {
      tell(next.use, .connected(next.use.id, next.peer, requestsMax: next.requestsMax, zone: next.zone))
    }
  }

  /// Sends a command about a connection that a download uses. Does nothing if the connection has ended.
  func send(to use: Use, _ command: (ConnectionToken) -> LoopCommand) {
    if let token = shared.token(of: use) { send(command(token), to: token) }
  }

  private func send(_ command: LoopCommand, to token: ConnectionToken) { context.mailboxes[token.loop].send(command) }

  /// Notes that the peer has opened the content of a download.
  func opened(_ use: Use) { shared.opened(use) }

  /// When a connection closes that no download uses any more.
  enum Closing {
    /// It stays open as long as the peer wants it.
    case never
    /// It closes once the peer has nothing open here.
    case whenUnused(CloseCode)
    case now(CloseCode, String = "")
  }

  /// Ends a download's use of a connection.
  func release(_ use: Use, _ closing: Closing) {
    let closesNow = if case .now = closing { true } else { false }
    switch shared.release(use, forgets: closesNow) {
    case .nothing: break
    case .giveBack(let token):
      send(.giveBack(token, use.download, closing: nil), to: token)
      connectWaiting(on: token)
    case .unused(let token):
      switch closing {
      case .never: send(.giveBack(token, use.download, closing: nil), to: token)
      case .whenUnused(let code): send(.giveBack(token, use.download, closing: code), to: token)
      case .now(let code, let text): send(.disconnect(token, code, text), to: token)
      }
      makeRoom()
    }
  }

  /// Ends all uses of connections by a download that has ended.
  func releaseAll(of download: DownloadID) {
    for use in shared.uses(of: download) { release(use, .whenUnused(.done)) }
  }

  /// Closes a connection whose peer lied about a download's content. It closes for all downloads, because only a
  /// GOODBYE makes the peer check its data. The other downloads connect again.
  func ban(_ use: Use) {
    guard let token = shared.token(of: use) else { return }
    banned[token] = use.download
    _ = shared.release(use, forgets: true)
    send(.disconnect(token, .badData, NodeConnections.badDataText), to: token)
  }

  /// The text of a GOODBYE for wrong data.
  static let badDataText = "your data does not verify"

  // MARK: Times

  /// When to call `turn`; nil: there is no deadline.
  var deadline: Instant? { shared.deadline }

  /// Begins a turn of the control thread. Dials that waited too long for room fail.
  func turn(at now: Instant) {
    self.now = now
    while let uses = shared.expire(at: now) {
      for use in uses { tell(use, .dialFailed(use.id, .local(.tooManyConnections, "this node has too many already"))) }
    }
  }

  /// Closes a connection that no download uses, if dials wait for room.
  private func makeRoom() {
    if let token = shared.inTheWay { send(.disconnect(token, .tooManyConnections, ""), to: token) }
  }

  // MARK: Reports of the loops

  /// Handles a report of a loop, and sends messages to the downloads.
  /// - `fetches`: returns whether a download runs and still fetches.
  func handle(_ report: ConnectionReport, of token: ConnectionToken, fetches: (DownloadID) -> Bool) {
    switch report {
    case .established(let peer, let requestsMax, let zone):
      established(token, peer, requestsMax: requestsMax, zone: zone)
    case .joined(let download, let address, let peer, let requestsMax, let zone):
      guard fetches(download) else { return send(.giveBack(token, download, closing: nil), to: token) }
      guard !shared.uses(of: token).contains(where: { $0.download == download }) else { return }
      let use = Use(download, context.names.takeInbound())
      shared.joined(token, peer, requestsMax: requestsMax, zone: zone, for: use)
      tell(use, .joined(use.id, address, peer, requestsMax: requestsMax, zone: zone))
    case .yielded(let download): yielded(token, download)
    case .ended(let end, let wasEstablished, let lie): ended(token, end, wasEstablished: wasEstablished, lie)
    }
  }

  /// Sends a message that a download gets in the next turn, since the caller may be inside a download's code.
  private func tell(_ use: Use, _ message: DownloadMessage) { context.control.send(.message(use.download, message)) }

  private func yielded(_ token: ConnectionToken, _ download: DownloadID) {
    for use in shared.uses(of: token) where use.download == download {
      _ = shared.release(use, forgets: false)
      tell(use, .yielded(use.id))
    }
    connectWaiting(on: token)
  }

  private func established(_ token: ConnectionToken, _ peer: PeerID, requestsMax: Int, zone: ZoneName?) {
    suites[token] = nil
    guard let established = shared.established(token, peer, requestsMax: requestsMax, zone: zone) else {
      return send(.disconnect(token, .done, ""), to: token)
    }
    if established.isDuplicate { send(.disconnect(token, .duplicateConnection, ""), to: token) }
    connectWaiting(on: established.token)
  }

  private func ended(_ token: ConnectionToken, _ end: ConnectionEnd, wasEstablished: Bool, _ lie: Lie) {
    if let suite = suites.removeValue(forKey: token), !shared.uses(of: token).isEmpty,
      let other = end.suiteToTry(insteadOf: suite, isPrivate: context.swarmKey != nil)
    {
      let new = newToken()
      shared.rename(token, to: new)
      return begin(new, other)  // at most once, since only one other suite can follow
    }
    let lie = banned.removeValue(forKey: token).map { .about($0) } ?? lie
    let lost = shared.lost(token, isOwnDoing: end.isOwnDoing)
    for use in lost.told {
      // A lie about another content proves nothing about this download's content, so it connects again.
      let end = lie == .none || lie == .about(use.download) ? end : .remote(.duplicateConnection, "")
      tell(use, wasEstablished ? .connectionLost(use.id, end) : .dialFailed(use.id, end))
    }
    for use in lost.redialled {
      if let dialled = shared.redial(use, token: newToken(), at: now) { perform(dialled) }
    }
    while let token = shared.nextToDial() { begin(token, context.configuration.suites[0]) }
  }
}

extension ConnectionEnd {
  /// Whether this node closed the connection for a reason of its own, not of this download's peer.
  fileprivate var isOwnDoing: Bool {
    switch self {
    case .local(.done, _), .local(.duplicateConnection, _), .local(.tooManyConnections, _), .local(.badData, _): true
    default: false
    }
  }
}
