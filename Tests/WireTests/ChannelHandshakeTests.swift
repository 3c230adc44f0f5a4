// Handshakes that succeed, in pieces of any size, and what each end knows afterwards.
import Sodium
import Testing

@testable import Wire

@Test(arguments: ChannelKind.all, [1, 2, 7, 64, Int.max])
func `a handshake succeeds however its bytes are split`(_ kind: ChannelKind, _ pieceSize: Int) throws {
  guard let ends = ChannelEnds(kind, pieceSize: pieceSize) else {
    Issue.record("the handshake failed")
    return
  }
  let dialer = ends.dialer
  let listener = ends.listener
  let isSameHash = dialer.handshakeHash == listener.handshakeHash
  #expect(isSameHash)
  let (remotes, roles) = ([dialer.remote, listener.remote], [dialer.role, listener.role])
  #expect(remotes == [listenerIdentity.peerID, dialerIdentity.peerID])
  #expect(roles == [.dialer, .listener])
  let (payloads, suites) = ([dialer.remotePayload, listener.remotePayload], [dialer.suite, listener.suite])
  #expect(payloads == [listenerPayload, dialerPayload])
  #expect(suites == [kind.suite, kind.suite])
  // The two ciphers of a channel can be moved to different owners.
  var dialerSealer = dialer.sealer
  var dialerOpener = dialer.opener
  var listenerSealer = listener.sealer
  var listenerOpener = listener.opener
  let opened = listenerOpener.plaintext(dialerSealer.record([1, 2, 3]).dropFirst(2))
  let answered = dialerOpener.plaintext(listenerSealer.record([4]).dropFirst(2))
  #expect(opened == [1, 2, 3] && answered == [4])
}

@Test(arguments: ChannelKind.all)
func `each message has the length that the protocol fixes`(_ kind: ChannelKind) {
  var dialer = dialer(kind)
  var listener = listener(kind)
  let first = dialer.takeOutbound()
  #expect(Array(first.prefix(10)) == Array("p2pnode".utf8) + [1, kind.suite.rawValue, kind.isPrivate ? 1 : 0])
  #expect(first.count == 16 + 2 + (kind.isPrivate ? 48 : 32))
  _ = listener.take(first)
  let second = listener.takeOutbound()
  #expect(second.count == 2 + 96 + listenerPayload.encode().count)
  _ = dialer.take(second)
  let third = dialer.takeOutbound()
  #expect(third.count == 2 + 64 + dialerPayload.encode().count)
}

@Test(arguments: ChannelKind.all)
func `a handshake that ends early is not complete, and reports that the peer closed`(_ kind: ChannelKind) {
  var dialer = dialer(kind)
  var listener = listener(kind)
  let first = dialer.takeOutbound()
  _ = listener.take(first)
  let second = listener.takeOutbound()
  _ = dialer.take(second)
  let third = dialer.takeOutbound()

  for count in 0..<(first + third).count {
    var cut = WireTests.listener(kind)
    let (rest, error) = cut.take(Array((first + third).prefix(count)))
    let isComplete = cut.isComplete
    let end = cut.receiveEnd()
    #expect(rest == [] && error == nil && !isComplete && end == .closedByPeer, "listener after \(count) bytes")
    let answer = cut.takeOutbound()
    #expect(answer.isEmpty == (count < first.count))
  }
  for count in 0..<second.count {
    var cut = WireTests.dialer(kind)
    _ = cut.takeOutbound()
    let (rest, error) = cut.take(Array(second.prefix(count)))
    let isComplete = cut.isComplete
    let end = cut.receiveEnd()
    #expect(rest == [] && error == nil && !isComplete && end == .closedByPeer, "dialer after \(count) bytes")
    let answer = cut.takeOutbound()
    #expect(answer.isEmpty)
  }
}

@Test(arguments: ChannelKind.all)
func `bytes after the last message are left for the records`(_ kind: ChannelKind) {
  var dialer = dialer(kind)
  var listener = listener(kind)
  _ = listener.take(dialer.takeOutbound())
  let records: [UInt8] = [0, 17, 9, 9, 9]
  let ofDialer = dialer.take(listener.takeOutbound() + records)
  #expect(ofDialer == (records, nil))
  let ofListener = listener.take(dialer.takeOutbound() + records)
  #expect(ofListener == (records, nil))
  let more = listener.take(records)
  let end = listener.receiveEnd()
  #expect(more == (records, nil) && end == nil)
}

@Test(arguments: ChannelKind.all)
func `the pinned peer is accepted`(_ kind: ChannelKind) {
  var dialer = dialer(kind, pinned: listenerIdentity.peerID)
  var listener = listener(kind)
  _ = listener.take(dialer.takeOutbound())
  let result = dialer.take(listener.takeOutbound())
  let isComplete = dialer.isComplete
  #expect(result == ([], nil) && isComplete)
}

@Test func `handshakes with the same keys and other ephemeral keys have different hashes`() throws {
  let kind = try #require(ChannelKind.all.last)
  func hash(_ ephemeral: UInt8) -> [UInt8] {
    var dialer = ChannelHandshake(
      dialing: dialerIdentity, suite: kind.suite, swarm: kind.swarm, pinned: nil, payload: dialerPayload,
      ephemeral: secretKey(ephemeral))
    var listener = listener(kind)
    _ = listener.take(dialer.takeOutbound())
    _ = dialer.take(listener.takeOutbound())
    return dialer.finish().handshakeHash.bytes
  }
  #expect(hash(3) == hash(3))
  #expect(hash(3) != hash(5))
}
