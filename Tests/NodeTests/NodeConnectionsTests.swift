// The connections that downloads share, as the control thread handles them: commands to loops, messages to downloads.
import Content
import Posix
import Sodium
import Testing
import TestSupport
import Transfer
import Wire

@testable import PeerNode

@Suite struct NodeConnectionsTests {
  private let context: NodeContext
  private let connections: NodeConnections
  private let address = PeerAddress(ip: Endpoint.loopback(9).ip, port: 9)
  private let other = PeerAddress(ip: Endpoint.loopback(9, last: 2).ip, port: 9)
  private let peer = StaticIdentity(secret: .random()).peerID

  init() throws {
    var configuration = NodeConfiguration()
    configuration.loopCount = 1
    context = try NodeContext(configuration) { _ in }
    connections = NodeConnections(context, dialledMax: 2)
  }

  private func use(_ download: UInt64, _ id: UInt64 = 1) -> NodeConnections.Use {
    NodeConnections.Use(DownloadID(download), ConnectionID(id))
  }

  /// Returns the commands for the loop since the last call, as text.
  private func commands() -> [String] {
    context.mailboxes[0].takeAll().map { command in
      switch command {
      case .dial(_, _, _, let suite): "dial \(suite)"
      case .giveBack(_, let download, let code): "give back \(download.rawValue) \(code.map { "\($0)" } ?? "and stay")"
      case .disconnect(_, let code, _): "disconnect \(code)"
      default: "\(command)"
      }
    }
  }

  /// Returns the messages for downloads since the last call, as text.
  private func messages() -> [String] {
    context.control.takeAll().compactMap { message in
      guard case .message(let download, let message) = message else { return nil }
      let words =
        switch message {
        case .connected(let id, _, _, _): "connected \(id.rawValue)"
        case .joined: "joined"
        case .dialFailed(let id, let end): "dial \(id.rawValue) failed: \(end)"
        case .connectionLost(let id, let end): "lost \(id.rawValue): \(end)"
        case .yielded(let id): "yielded \(id.rawValue)"
        default: "\(message)"
        }
      return "\(download.rawValue): \(words)"
    }
  }

  private func handle(_ report: ConnectionReport, of token: ConnectionToken) {
    connections.handle(report, of: token) { $0 != DownloadID(9) }
  }

  /// Returns a connection that both downloads use.
  private func shared() throws -> ConnectionToken {
    connections.dial(address, pinned: nil, for: use(1))
    connections.dial(address, pinned: nil, for: use(2))
    guard case .dial(let token, _, _, _)? = context.mailboxes[0].takeAll().first else { throw SocketEnd.endOfStream }
    handle(.established(peer, requestsMax: 64), of: token)
    #expect(messages() == ["1: connected 1", "2: connected 1"])
    for download in 1...2 as ClosedRange<UInt64> { connections.opened(use(download)) }
    return token
  }

  @Test func `a lie about one content closes the connection, and the other download connects again`() throws {
    let token = try shared()
    connections.ban(use(1))
    #expect(commands() == ["disconnect badData"])
    handle(.ended(.local(.badData, ""), wasEstablished: true, lie: .none), of: token)
    #expect(messages() == ["2: lost 1: it said: already connected"])
  }

  @Test func `a lie that a session finds is reported only to the download of the content`() throws {
    let token = try shared()
    handle(.ended(.lied("it lied"), wasEstablished: true, lie: .about(DownloadID(2))), of: token)
    #expect(messages() == ["1: lost 1: it said: already connected", "2: lost 1: wrong data: it lied"])
  }

  @Test func `a download that banned the peer earlier leaves the connection to the other download`() throws {
    _ = try shared()
    connections.release(use(1), .now(.badData))
    #expect(commands() == ["give back 1 and stay"])
    connections.release(use(2), .now(.badData))
    #expect(commands() == ["disconnect badData"])
  }

  @Test func `a download that ends leaves the connection to the other one, and the last one closes it`() throws {
    _ = try shared()
    connections.releaseAll(of: DownloadID(1))
    connections.releaseAll(of: DownloadID(2))
    #expect(commands() == ["give back 1 and stay", "give back 2 done"])
  }

  @Test(.enabled(if: CipherSuite.available.count > 1, "this processor has one cipher"))
  func `a dial that needs another cipher is repeated for all downloads that wait for it`() throws {
    connections.dial(address, pinned: nil, for: use(1))
    connections.dial(address, pinned: nil, for: use(2))
    guard case .dial(let token, _, _, let suite)? = context.mailboxes[0].takeAll().first else {
      Issue.record("no dial")
      return
    }
    let another = try #require(CipherSuite.available.first { $0 != suite })
    handle(.ended(.handshake(.suiteUnsupported(redialWith: another)), wasEstablished: false, lie: .none), of: token)
    #expect(commands() == ["dial \(another)"] && messages() == [])
  }

  @Test func `if a peer opens a content that is no longer fetched, the content is given back`() {
    let token = context.names.take(forLoop: 0)
    handle(.joined(DownloadID(9), .loopback(9), peer, requestsMax: 64), of: token)
    #expect(commands() == ["give back 9 and stay"] && messages() == [])
    handle(.joined(DownloadID(1), .loopback(9), peer, requestsMax: 64), of: token)
    handle(.joined(DownloadID(1), .loopback(9), peer, requestsMax: 64), of: token)
    #expect(messages() == ["1: joined"])
  }

  @Test func `a download that gives way gets an event, and its end is no event for the other`() throws {
    let token = try shared()
    handle(.yielded(DownloadID(1)), of: token)
    #expect(messages() == ["1: yielded 1"] && commands() == [])
    handle(.ended(.truncated, wasEstablished: true, lie: .none), of: token)
    #expect(messages() == ["2: lost 1: the connection was cut"])
  }

  @Test func `a dial that waits for room fails after a while, and unused connections are closed for it`() throws {
    let third = PeerAddress(ip: Endpoint.loopback(9, last: 3).ip, port: 9)
    let token = try shared()
    connections.dial(other, pinned: nil, for: use(1, 2))
    _ = commands()
    connections.dial(third, pinned: nil, for: use(3))
    #expect(commands() == [], "two connections are dialled")
    connections.releaseAll(of: DownloadID(2))
    connections.release(use(1), .never)
    #expect(commands() == ["give back 2 and stay", "give back 1 and stay", "disconnect tooManyConnections"])
    handle(.ended(.local(.tooManyConnections, ""), wasEstablished: true, lie: .none), of: token)
    #expect(commands().count == 1 && messages() == [])
    connections.dial(address, pinned: nil, for: use(4))
    let late = try #require(connections.deadline)
    connections.turn(at: late)
    #expect(messages() == ["4: dial 1 failed: closed by us: this node has too many already"])
  }
}
