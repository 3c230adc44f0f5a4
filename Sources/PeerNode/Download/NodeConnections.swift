// The connections that the downloads of a node share: which loop has each, and which downloads hear of it.
import Posix
import Transfer
import Wire

/// A lie of the peer that ended a connection.
enum Lie: Hashable, Sendable {
  case none
  case about(DownloadID)
  /// About a content that no download fetches any more.
  case aboutNone
}

/// A report of a loop about a connection that the control thread knows.
enum ConnectionReport: Sendable {
  /// The handshake of a connection that was dialled is done. The peer accepts so many requests in flight.
  case established(PeerID, requestsMax: Int)
  /// The peer has opened the content of a download: it can be asked for what it has.
  case joined(DownloadID, Endpoint, PeerID, requestsMax: Int)
  /// A download has given its content back on a connection that others use, because its output takes nothing.
  case yielded(DownloadID)
  case ended(ConnectionEnd, wasEstablished: Bool, lie: Lie)
}

/// Performs what `SharedConnections` decides, and turns reports of the loops into messages for the downloads. Confined to
/// the control thread.
final class NodeConnections {
  typealias Use = SharedConnections.Use

  /// Connections that are dialled at a time: a quarter of the descriptors, and no more than 512.
  private static var dialledMax: Int { min(512, max(16, OpenFileLimit.current / 4)) }

  /// What is needed to dial again with another cipher.
  private struct Dial {
    let address: Endpoint
    let pinned: PeerID?
    var suite: CipherSuite
  }

  private let context: NodeContext
  private var shared = SharedConnections(dialledMax: NodeConnections.dialledMax)
  private var dials: [ConnectionToken: Dial] = [:]
  /// Connections that a download closed because its peer lied to it.
  private var banned: [ConnectionToken: DownloadID] = [:]
  private var nextLoop = 0

  init(_ context: NodeContext) { self.context = context }

  // MARK: Commands of downloads

  /// Connects a download to an address. A message follows.
  func dial(_ address: PeerAddress, pinned: PeerID?, for use: Use) {
    switch shared.dial(address, pinned: pinned, for: use, token: newToken()) {
    case .dial(let token):
      let suite = context.configuration.suites[0]
      begin(token, Dial(address: Endpoint(address), pinned: pinned, suite: suite))
    case .waits: break
    case .stands(let token): connectWaiting(on: token)
    }
  }

  /// There is room on a connection for downloads that wait for it.
  private func connectWaiting(on token: ConnectionToken) {
    while let next = shared.nextUse(of: token) {
      tell(next.use.download, .connected(next.use.id, next.peer, requestsMax: next.requestsMax))
    }
  }

  private func newToken() -> ConnectionToken {
    nextLoop = (nextLoop + 1) % context.mailboxes.count
    return context.takeToken(forLoop: nextLoop)
  }

  private func begin(_ token: ConnectionToken, _ dial: Dial) {
    dials[token] = dial
    send(.dial(token, dial.address, pinned: dial.pinned, suite: dial.suite), to: token)
  }

  /// Sends a command about the connection that a download knows under a name. Does nothing if it is gone.
  func send(to use: Use, _ command: (ConnectionToken) -> LoopCommand) {
    if let token = shared.token(of: use) { send(command(token), to: token) }
  }

  private func send(_ command: LoopCommand, to token: ConnectionToken) { context.mailboxes[token.loop].send(command) }

  /// A download uses a connection no more.
  /// - `closes`: whether the connection closes if no other download uses it, even if the peer has something open here.
  func release(_ use: Use, closes: Bool, _ code: CloseCode) {
    switch shared.release(use) {
    case .nothing: break
    case .giveBack(let token):
      send(.giveBack(token, use.download, code), to: token)
      connectWaiting(on: token)
    case .unused(let token):
      send(closes ? .disconnect(token, code, "") : .giveBack(token, use.download, code), to: token)
    }
  }

  /// The peer of a connection lied to a download. The connection closes for all downloads: only so the peer hears of it
  /// and checks its data. The others may connect again.
  func ban(_ use: Use) {
    guard let token = shared.token(of: use) else { return }
    banned[token] = use.download
    _ = shared.release(use)
    send(.disconnect(token, .badData, "your data does not verify"), to: token)
  }

  // MARK: Reports of the loops

  /// A loop reports. Downloads hear of it by messages.
  /// - `runs`: whether a download still runs.
  func handle(_ report: ConnectionReport, of token: ConnectionToken, runs: (DownloadID) -> Bool) {
    switch report {
    case .established(let peer, let requestsMax): established(token, peer, requestsMax: requestsMax)
    case .joined(let download, let address, let peer, let requestsMax):
      guard runs(download) else { return send(.giveBack(token, download, .done), to: token) }
      guard !shared.uses(of: token).contains(where: { $0.download == download }) else { return }
      let use = Use(download, context.nextInboundID())
      shared.joined(token, peer, requestsMax: requestsMax, for: use)
      tell(download, .joined(use.id, address, peer, requestsMax: requestsMax))
    case .yielded(let download): yielded(token, download)
    case .ended(let end, let wasEstablished, let lie): ended(token, end, wasEstablished: wasEstablished, lie)
    }
  }

  /// A message comes in the next turn: a download may be at work in the caller.
  private func tell(_ download: DownloadID, _ message: DownloadMessage) {
    context.control.send(.message(download, message))
  }

  private func yielded(_ token: ConnectionToken, _ download: DownloadID) {
    for use in shared.uses(of: token) where use.download == download {
      _ = shared.release(use)
      tell(download, .connectionLost(use.id, .local(.tooSlow, "the output takes nothing, and others wait")))
    }
    connectWaiting(on: token)
  }

  private func established(_ token: ConnectionToken, _ peer: PeerID, requestsMax: Int) {
    dials[token] = nil
    guard let established = shared.established(token, peer, requestsMax: requestsMax) else {
      return send(.disconnect(token, .done, ""), to: token)
    }
    if established.isDuplicate { send(.disconnect(token, .duplicateConnection, ""), to: token) }
    connectWaiting(on: established.token)
  }

  private func ended(_ token: ConnectionToken, _ end: ConnectionEnd, wasEstablished: Bool, _ lie: Lie) {
    if let dial = dials.removeValue(forKey: token), !shared.uses(of: token).isEmpty,
      let suite = end.suiteToTry(insteadOf: dial.suite, isPrivate: context.swarmKey != nil)
    {
      let new = newToken()
      shared.redial(token, as: new)
      // Once, since it can be changed to one only.
      return begin(new, Dial(address: dial.address, pinned: dial.pinned, suite: suite))
    }
    let lie = banned.removeValue(forKey: token).map { .about($0) } ?? lie
    let uses = shared.lost(token)
    dialWaiting()
    for use in uses {
      // A lie about another content says nothing about this download's: it connects again.
      let end = lie == .none || lie == .about(use.download) ? end : .remote(.duplicateConnection, "")
      tell(use.download, wasEstablished ? .connectionLost(use.id, end) : .dialFailed(use.id, end))
    }
  }

  /// There is room for connections that wait to be dialled.
  private func dialWaiting() {
    while let token = shared.nextToDial() {
      guard let address = shared.address(of: token) else { continue }
      begin(
        token,
        Dial(
          address: Endpoint(address), pinned: shared.pinned(of: token), suite: context.configuration.suites[0]))
    }
  }
}
