// Handshakes that must fail: the error at each end, and what it must not send.
import Content
import Sodium
import Testing

@testable import Wire

private let open = ChannelKind(suite: .chaChaPoly, isPrivate: false)
private let closed = ChannelKind(suite: .chaChaPoly, isPrivate: true)

/// Gives these first bytes to a listener. Returns its error and the bytes that it sends.
private func listen(
  _ kind: ChannelKind, to bytes: [UInt8], suites: [CipherSuite] = [.chaChaPoly]
) -> (error: HandshakeError?, answer: [UInt8]) {
  var listener = listener(kind, suites: suites)
  let (_, error) = listener.take(bytes, pieceSize: 1)
  let again = listener.take([0])
  #expect(again.error == error || error == nil, "an error stays")
  return (error, listener.takeOutbound())
}

/// Gives these bytes to a dialer instead of message 2. Returns its error and what it sends after its first bytes.
private func dial(_ kind: ChannelKind, answeredWith bytes: [UInt8]) -> (error: HandshakeError?, sent: [UInt8]) {
  var dialer = dialer(kind)
  _ = dialer.takeOutbound()
  let (_, error) = dialer.take(bytes, pieceSize: 1)
  return (error, dialer.takeOutbound())
}

private func preamble(_ suite: UInt8, _ pattern: UInt8, version: UInt8 = 1, last: UInt8 = 0) -> [UInt8] {
  Array("p2pnode".utf8) + [version, suite, pattern, 0, 0, 0, 0, 0, last]
}

@Test(arguments: ChannelKind.all)
func `a dialer sends no message 3 to a peer with another PeerID than the pinned one`(_ kind: ChannelKind) {
  let other = StaticIdentity(secret: secretKey(9))
  var dialer = dialer(kind, pinned: listenerIdentity.peerID)
  var listener = listener(kind, identity: other)
  _ = listener.take(dialer.takeOutbound())
  let (_, error) = dialer.take(listener.takeOutbound())
  #expect(error == .wrongPeer(expected: listenerIdentity.peerID, got: other.peerID))
  let (sent, isComplete) = (dialer.takeOutbound(), dialer.isComplete)
  #expect(sent.isEmpty && !isComplete)
}

@Test(arguments: ChannelKind.all)
func `a node that dials itself sends no message 3`(_ kind: ChannelKind) {
  var dialer = dialer(kind)
  var listener = listener(kind, identity: dialerIdentity)
  _ = listener.take(dialer.takeOutbound())
  let (_, error) = dialer.take(listener.takeOutbound())
  let sent = dialer.takeOutbound()
  #expect(error == .dialledItself && sent.isEmpty)
}

@Test(arguments: ChannelKind.all.filter(\.isPrivate))
func `a private listener sends nothing to a dialer with another swarm key`(_ kind: ChannelKind) {
  var dialer = ChannelHandshake(
    dialing: dialerIdentity, suite: kind.suite, swarm: swarmKey(secretKey(0x66)), pinned: nil, payload: dialerPayload,
    ephemeral: secretKey(3))
  let result = listen(kind, to: dialer.takeOutbound(), suites: CipherSuite.available)
  #expect(result == (.authenticationFailed, []))
}

@Test func `a private listener sends nothing after a preamble with another pattern or suite`() {
  #expect(listen(closed, to: preamble(1, 0)) == (.patternMismatch(peerIsPrivate: false), []))
  #expect(listen(closed, to: preamble(2, 1)) == (.suiteUnsupported(redialWith: .chaChaPoly), []))
}

@Test func `a public listener answers a private dialer and an unsupported suite with its own preamble`() {
  #expect(listen(open, to: preamble(1, 1)) == (.patternMismatch(peerIsPrivate: true), preamble(1, 0)))
  #expect(
    listen(open, to: preamble(1, 1), suites: [.aesGCM, .chaChaPoly])
      == (.patternMismatch(peerIsPrivate: true), preamble(2, 0)))
  #expect(listen(open, to: preamble(2, 0)) == (.suiteUnsupported(redialWith: .chaChaPoly), preamble(1, 0)))
}

@Test func `a dialer reports the fault that a listener's preamble shows`() {
  #expect(dial(closed, answeredWith: preamble(1, 0)) == (.patternMismatch(peerIsPrivate: false), []))
  #expect(dial(closed, answeredWith: preamble(2, 0)) == (.patternMismatch(peerIsPrivate: false), []))
  #expect(dial(open, answeredWith: preamble(1, 0)) == (.malformed(.preamble), []), "an answer that changes nothing")
  #expect(dial(open, answeredWith: preamble(2, 0)) == (.malformed(.preamble), []), "every listener can do suite 1")
  #expect(dial(open, answeredWith: preamble(1, 0, version: 2)) == (.otherVersion(2), []))
  #expect(dial(open, answeredWith: preamble(1, 0, last: 1)) == (.malformed(.preamble), []))
}

@Test(.enabled(if: AEAD.Algorithm.aesGCM.isAvailable))
func `a dialer whose suite was refused succeeds with the suite of the answer`() {
  var first = dialer(ChannelKind(suite: .aesGCM, isPrivate: false))
  let (_, answer) = listen(open, to: first.takeOutbound())
  let (_, error) = first.take(answer, pieceSize: 1)
  #expect(error == .suiteUnsupported(redialWith: .chaChaPoly))
  let again = ChannelEnds(open)
  let isEstablished = again != nil
  #expect(isEstablished)
}

@Test(arguments: [open, closed])
func `the first bytes distinguish a peer from a program of another protocol`(_ kind: ChannelKind) {
  #expect(listen(kind, to: Array("G".utf8)) == (.notAP2PNode, []))
  #expect(listen(kind, to: Array("p2pnodX".utf8)) == (.notAP2PNode, []))
  #expect(listen(kind, to: preamble(1, 0, version: 2)) == (.otherVersion(2), []))
  #expect(listen(kind, to: preamble(3, 0)) == (.malformed(.preamble), []))
  #expect(listen(kind, to: preamble(1, 2)) == (.malformed(.preamble), []))
  #expect(listen(kind, to: preamble(1, 0, last: 1)) == (.malformed(.preamble), []))
  for text in ["HTTP/1.1 400 Bad Request\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "p2p is something else", "\u{0}\u{5}short"] {
    #expect(dial(kind, answeredWith: Array(text.utf8)) == (.notAP2PNode, []))
  }
}

@Test(arguments: ChannelKind.all)
func `a handshake message of a wrong length is refused at its header`(_ kind: ChannelKind) {
  var dialing = dialer(kind)
  let first = dialing.takeOutbound()
  let wrong: [[UInt8]] = [[0, 0], [0, 31], [0, 33], [0, 47], [0, 49], [2, 1], [0xFF, 0xFF]]
  for length in wrong {
    let result = listen(kind, to: Array(first.prefix(16)) + length, suites: CipherSuite.available)
    #expect(result == (.malformed(.messageLength), []))
  }
  for length in [[0, 0], [0, 63], [1, 65], [0xFF, 0xFF]] as [[UInt8]] {
    var listening = listener(kind)
    _ = listening.take(first)
    let (_, error) = listening.take(length)
    #expect(error == .malformed(.messageLength))
  }
  for length in [[0, 95], [1, 97]] as [[UInt8]] {
    #expect(dial(kind, answeredWith: length) == (.notAP2PNode, []))
  }
}

@Test(arguments: ChannelKind.all)
func `a handshake message with any byte changed ends the handshake`(_ kind: ChannelKind) {
  var dialing = dialer(kind)
  let first = dialing.takeOutbound()
  var listening = listener(kind)
  _ = listening.take(first)
  let second = listening.takeOutbound()
  _ = dialing.take(second)
  let third = dialing.takeOutbound()
  for i in 2..<second.count {
    var changed = second
    changed[i] ^= 1
    #expect(dial(kind, answeredWith: changed) == (.authenticationFailed, []), "byte \(i) of message 2")
  }
  for i in 2..<third.count {
    var changed = third
    changed[i] ^= 1
    var listening = listener(kind)
    _ = listening.take(first)
    let (_, error) = listening.take(changed)
    let isComplete = listening.isComplete
    #expect(error == .authenticationFailed && !isComplete, "byte \(i) of message 3")
  }
}

@Test(arguments: ChannelKind.all.filter { !$0.isPrivate })
func `an ephemeral key of low order ends the handshake at either end`(_ kind: ChannelKind) {
  let zeros = [UInt8](repeating: 0, count: 32)
  let first = preamble(kind.suite.rawValue, 0) + [0, 32] + zeros
  #expect(listen(kind, to: first, suites: CipherSuite.available) == (.malformed(.publicKey), []))
  let second = [0, 96] + zeros + [UInt8](repeating: 7, count: 64)
  #expect(dial(kind, answeredWith: second) == (.malformed(.publicKey), []))
}

@Test(arguments: ChannelKind.all)
func `a decrypted payload that is malformed is refused by either end`(_ kind: ChannelKind) throws {
  let bad: [UInt8] = [1, 3, 0, 0, 0]
  var dialing = dialer(kind)
  let first = dialing.takeOutbound()
  let prologue = Preamble(suite: kind.suite, pattern: kind.isPrivate ? .xxpsk0 : .xx).prologue

  var listenerNoise = HandshakeState(
    .listener, kind.isPrivate ? .xxpsk0 : .xx, kind.suite, prologue: prologue.span.bytes, identity: listenerIdentity,
    ephemeral: secretKey(4), swarm: kind.swarm)
  _ = try listenerNoise.readMessage(first.span.bytes.extracting(18..<first.count))
  let second = try listenerNoise.writeMessage(payload: bad)
  #expect(dial(kind, answeredWith: [0, UInt8(second.count)] + second) == (.malformed(.payload), []))

  var dialerNoise = HandshakeState(
    .dialer, kind.isPrivate ? .xxpsk0 : .xx, kind.suite, prologue: prologue.span.bytes, identity: dialerIdentity,
    ephemeral: secretKey(3), swarm: kind.swarm)
  _ = try dialerNoise.writeMessage(payload: [])
  var listening = listener(kind)
  _ = listening.take(first)
  let answer = listening.takeOutbound()
  _ = try dialerNoise.readMessage(answer.span.bytes.extracting(2..<answer.count))
  let third = try dialerNoise.writeMessage(payload: bad)
  let (_, error) = listening.take([0, UInt8(third.count)] + third)
  let isComplete = listening.isComplete
  #expect(error == .malformed(.payload) && !isComplete)
}
