// The handshake as bytes of a TCP stream, for either end: preamble, messages with lengths, payloads. Does no I/O.
import Content
import Sodium

/// Takes the bytes that come in and hands out those to send, until the channel is established or an error says why not.
///
/// It buffers at most one message. After an error the connection is closed; `takeOutbound()` may still hold an answer
/// to send before that. An owner that no longer needs it drops it, which wipes its secrets.
///
/// Source: `Protocol/README.md`, "Handshake".
public struct ChannelHandshake: ~Copyable, Sendable {
  /// Bytes of a handshake message without its length, at most.
  public static let messageByteCountMax = 512

  private enum Awaited {
    case preamble, message1, message2, message3, nothing
    case failed(HandshakeError)
  }

  private static let lengthByteCount = 2

  private let role: ChannelRole
  private let identity: StaticIdentity
  private let swarm: SwarmKey?
  private let pinned: PeerID?
  private let payload: [UInt8]
  // Dialer: the one that was offered. Listener: those that it can do, the preferred first.
  private let suites: [CipherSuite]

  private var awaited: Awaited
  private var pending: [UInt8] = []
  private var outbound: [UInt8] = []
  // The listener's, until the preamble has come.
  private var ephemeral: SecretKey?
  private var noise: HandshakeState?
  private var suite: CipherSuite
  private var remotePayload = HandshakePayload()

  /// The dialer's end; the caller sends its preamble and message 1 at once.
  /// - Parameters:
  ///   - identity: who dials.
  ///   - suite: one of `CipherSuite.available`.
  ///   - swarm: the key of the private swarm; nil: public.
  ///   - pinned: the peer that must answer; nil: any peer. Another peer is refused before it learns who dialled.
  ///   - payload: what the listener is told.
  ///   - ephemeral: 32 fresh random bytes, for this handshake alone.
  public init(
    dialing identity: StaticIdentity, suite: CipherSuite, swarm: SwarmKey?, pinned: PeerID?,
    payload: HandshakePayload, ephemeral: consuming SecretKey
  ) {
    self.init(.dialer, identity, [suite], swarm, pinned, payload, .message2)
    let preamble = Preamble(suite: suite, pattern: pattern)
    noise = HandshakeState(
      .dialer, pattern, suite, prologue: preamble.prologue.span.bytes, identity: identity, ephemeral: ephemeral,
      swarm: swarm)
    outbound = preamble.encode()
    // Message 1 needs no public key of the other end, so none can be of low order.
    do { try send(payload: []) } catch { preconditionFailure("message 1 cannot fail") }
  }

  /// The listener's end.
  /// - Parameters:
  ///   - identity: who listens.
  ///   - suites: those that it can do, the preferred first; ChaChaPoly is always among them.
  ///   - swarm: the key of the private swarm; nil: public.
  ///   - payload: what the dialer is told.
  ///   - ephemeral: 32 fresh random bytes, for this handshake alone.
  public init(
    listening identity: StaticIdentity, suites: [CipherSuite] = CipherSuite.available, swarm: SwarmKey?,
    payload: HandshakePayload, ephemeral: consuming SecretKey
  ) {
    precondition(suites.contains(.chaChaPoly), "every listener can do ChaChaPoly")
    self.init(.listener, identity, suites, swarm, nil, payload, .preamble)
    self.ephemeral = consume ephemeral
  }

  private init(
    _ role: ChannelRole, _ identity: StaticIdentity, _ suites: [CipherSuite], _ swarm: SwarmKey?, _ pinned: PeerID?,
    _ payload: HandshakePayload, _ awaited: Awaited
  ) {
    self.role = role
    self.identity = identity
    self.suites = suites
    self.suite = suites[0]
    self.swarm = swarm
    self.pinned = pinned
    self.payload = payload.encode()
    self.awaited = awaited
  }

  private var pattern: HandshakePattern { swarm == nil ? .xx : .xxpsk0 }

  /// Whether the last message was read or produced. What is outbound still has to be sent.
  public var isComplete: Bool {
    if case .nothing = awaited { true } else { false }
  }

  /// Takes bytes of the stream, however they are cut.
  /// - Returns: how many it took; none after the last byte of the last message, for those are records.
  public mutating func receive(_ bytes: RawSpan) throws(HandshakeError) -> Int {
    if case .failed(let error) = awaited { throw error }
    var taken = 0
    do throws(HandshakeError) {
      while !isComplete && taken < bytes.byteCount {
        let due = try byteCountDue()
        let end = taken + min(due - pending.count, bytes.byteCount - taken)
        pending.append(bytes, taken..<end)
        taken = end
        // A first wrong byte says enough: the rest of a preamble need not come.
        if try byteCountDue() == pending.count { try take() }
      }
    } catch {
      fail(error)
      throw error
    }
    return taken
  }

  /// Says that the stream ended.
  /// - Returns: the reason why there will be no channel; nil where the handshake was complete.
  public mutating func receiveEnd() -> HandshakeError? {
    switch awaited {
    case .nothing: return nil
    case .failed(let error): return error
    case .preamble, .message1, .message2, .message3:
      fail(.closedByPeer)
      return .closedByPeer
    }
  }

  /// The bytes to send now, handed out once.
  public mutating func takeOutbound() -> [UInt8] {
    defer { outbound = [] }
    return outbound
  }

  /// The channel, once `isComplete`.
  public consuming func finish() -> EstablishedChannel {
    precondition(isComplete, "the handshake is not over")
    let remote = remote!
    let noise = noise.take()!
    let handshakeHash = noise.handshakeHash
    return EstablishedChannel(role, suite, handshakeHash, remote, remotePayload, noise.split())
  }

  // MARK: - What is due

  /// Bytes of what is awaited, as far as those that came tell; at least one more than came, or all.
  private func byteCountDue() throws(HandshakeError) -> Int {
    switch awaited {
    case .preamble:
      _ = try Preamble.decode(pending)
      return Preamble.byteCount
    case .message1:
      let count = PublicKey.byteCount + (pattern.hasPSK ? AEAD.tagByteCount : 0)
      return try messageByteCount(within: count...count)
    case .message2:
      if pending.count >= ChannelHandshake.lengthByteCount, pending.starts(with: Preamble.magic.prefix(2)) {
        _ = try Preamble.decode(pending)
        return Preamble.byteCount
      }
      let count = 2 * PublicKey.byteCount + 2 * AEAD.tagByteCount
      do { return try messageByteCount(within: count...count + HandshakePayload.byteCountMax) } catch {
        throw .notAP2PNode
      }
    case .message3:
      let count = PublicKey.byteCount + 2 * AEAD.tagByteCount
      return try messageByteCount(within: count...count + HandshakePayload.byteCountMax)
    case .nothing: return 0
    case .failed(let error): throw error
    }
  }

  private func messageByteCount(within bounds: ClosedRange<Int>) throws(HandshakeError) -> Int {
    guard pending.count >= ChannelHandshake.lengthByteCount else { return ChannelHandshake.lengthByteCount }
    let length = Int(pending[0]) << 8 | Int(pending[1])
    guard bounds.contains(length) else { throw .malformed(.messageLength) }
    return ChannelHandshake.lengthByteCount + length
  }

  // MARK: - What came

  private mutating func take() throws(HandshakeError) {
    switch awaited {
    case .preamble:
      guard let preamble = try Preamble.decode(pending) else { return }
      try accept(preamble)
      awaited = .message1
    case .message1:
      _ = try read()
      try send(payload: payload)
      awaited = .message3
    case .message2:
      if let answer = try answerOfListener() { throw answer }
      remotePayload = try HandshakePayload(decoding: read())
      try checkRemote()
      try send(payload: payload)
      awaited = .nothing
    case .message3:
      remotePayload = try HandshakePayload(decoding: read())
      try checkRemote()
      awaited = .nothing
    case .nothing, .failed: preconditionFailure("nothing is awaited")
    }
    pending = []
  }

  /// A public listener tells a dialer with whom it cannot speak what it would speak; a private one tells nothing.
  private mutating func accept(_ preamble: Preamble) throws(HandshakeError) {
    guard preamble.pattern == pattern else {
      if pattern == .xx { outbound = Preamble(suite: suites[0], pattern: pattern).encode() }
      throw .patternMismatch(peerIsPrivate: preamble.pattern == .xxpsk0)
    }
    guard suites.contains(preamble.suite) else {
      if pattern == .xx { outbound = Preamble(suite: .chaChaPoly, pattern: pattern).encode() }
      throw .suiteUnsupported(redialWith: .chaChaPoly)
    }
    suite = preamble.suite
    noise = HandshakeState(
      .listener, pattern, suite, prologue: preamble.prologue.span.bytes, identity: identity,
      ephemeral: ephemeral.take()!, swarm: swarm)
  }

  /// Nil where what came is message 2.
  private func answerOfListener() throws(HandshakeError) -> HandshakeError? {
    guard pending.starts(with: Preamble.magic.prefix(2)), let answer = try Preamble.decode(pending) else { return nil }
    guard answer.pattern == pattern else { return .patternMismatch(peerIsPrivate: answer.pattern == .xxpsk0) }
    guard answer.suite == .chaChaPoly && suite != .chaChaPoly else { return .malformed(.preamble) }
    return .suiteUnsupported(redialWith: .chaChaPoly)
  }

  private func checkRemote() throws(HandshakeError) {
    let got = remote!
    guard got != identity.peerID else { throw .dialledItself }
    guard let pinned else { return }
    guard got == pinned else { throw .wrongPeer(expected: pinned, got: got) }
  }

  /// Nil until the message that carries the other end's static key was read.
  private var remote: PeerID? {
    switch noise {
    case .some(let noise): noise.remoteStatic.map { PeerID(publicKey: $0) }
    case .none: nil
    }
  }

  private mutating func read() throws(HandshakeError) -> [UInt8] {
    let message = pending
    let body = message.span.bytes.extracting(ChannelHandshake.lengthByteCount..<message.count)
    do { return try noise!.readMessage(body) } catch { throw HandshakeError(error) }
  }

  private mutating func send(payload: [UInt8]) throws(HandshakeError) {
    let message: [UInt8]
    do { message = try noise!.writeMessage(payload: payload) } catch { throw HandshakeError(error) }
    precondition(message.count <= ChannelHandshake.messageByteCountMax, "the payload is bounded")
    outbound.append(bigEndian: UInt16(message.count))
    outbound += message
  }

  private mutating func fail(_ error: HandshakeError) {
    awaited = .failed(error)
    pending = []
    ephemeral = nil
    noise = nil
  }
}

extension HandshakeError {
  fileprivate init(_ failure: HandshakeState.Failure) {
    self =
      switch failure {
      case .truncated: .malformed(.messageLength)
      case .authentication: .authenticationFailed
      case .lowOrderPoint: .malformed(.publicKey)
      }
  }
}
