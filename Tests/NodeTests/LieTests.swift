// A lie ends the peer's connection. The tests show which of the downloads that share it ban the peer.
import Content
import Posix
import TestSupport
import Testing
import Transfer
import Wire

@testable import PeerNode

@Suite struct LieTests {
  private func lies(_ fetching: FetchingLoop) -> [Lie] {
    fetching.loop.context.control.takeAll().compactMap { message in
      if case .connection(fetching.token, .ended(.lied, wasEstablished: true, let lie)) = message { lie } else { nil }
    }
  }

  /// Returns the answer to a request, with one leaf hash missing.
  private func wrongAnswer(_ fetching: FetchingLoop) -> Message {
    .data(
      DataHeader(
        id: RequestID(1), leaves: LeafRange(first: 0, count: 4), isLast: false,
        leafHashes: fetching.leafHashes.dropLast(), byteCount: 65_536))
  }

  @Test(arguments: [false, true])
  func `a lie counts for the content of its request, or for none if that was given up`(isGivenUp: Bool) throws {
    let fetching = try FetchingLoop()
    try fetching.open()
    let other = Sample("other.bin", byteCount: 70_000, seed: 3)
    let handle = try fetching.ask(for: fetching.link(of: other), as: ConnectionID(2))
    try fetching.peer.offer(other, as: handle)
    try fetching.ping()
    try fetching.request(1)
    if isGivenUp { fetching.send(.giveBack(fetching.token, fetching.link.id, closing: .done)) }
    try fetching.peer.send(wrongAnswer(fetching))
    #expect(try fetching.goodbye() == .badData)
    #expect(lies(fetching) == [isGivenUp ? .aboutNone : .about(fetching.link.id)])
  }

  @Test(arguments: [Lie.none, .about(DownloadID(1)), .aboutNone])
  func `only the download whose content was lied about blames the peer`(_ lie: Lie) throws {
    let context = try NodeContext(NodeConfiguration(identity: .random())) { _ in }
    let connections = NodeConnections(context)
    let address = PeerAddress(ip: Endpoint.loopback(9).ip, port: 9)
    let downloads = [DownloadID(1), DownloadID(2)]
    for (number, download) in downloads.enumerated() {
      connections.dial(address, pinned: nil, for: .init(download, ConnectionID(UInt64(number))))
    }
    let token = try #require(
      context.mailboxes.flatMap { $0.takeAll() }.compactMap { command in
        if case .dial(let token, _, _, _) = command { token } else { nil }
      }.first)
    let peer = PeerID(digest: .zero)
    connections.handle(.established(peer, requestsMax: 64), of: token) { _ in true }
    for (number, download) in downloads.enumerated() {
      connections.opened(.init(download, ConnectionID(UInt64(number))))
    }
    connections.handle(.ended(.lied("words"), wasEstablished: true, lie: lie), of: token) { _ in true }
    let blaming = context.control.takeAll().compactMap { message in
      if case .message(let download, .connectionLost(_, .lied)) = message { download } else { nil }
    }
    switch lie {
    case .none: #expect(blaming == downloads)
    case .about(let download): #expect(blaming == [download])
    case .aboutNone: #expect(blaming.isEmpty)
    }
  }
}
