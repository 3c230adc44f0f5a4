// The handshake over a TCP stream, for both ends: preamble, messages with lengths, payloads. Does no I/O.
import Content
import Sodium

/// Takes received bytes and returns the bytes to send, until the channel is established or the handshake fails.
///
/// Buffers at most one message. After an error, send what `takeOutbound()` still returns, then close the connection. An
/// owner that no longer needs the value drops it; this wipes its secrets.
///
/// Source: `Protocol/README.md`, "Handshake".
public struct ChannelHandshake: ~Copyable, Sendable {
  /// The most bytes of a handshake message, without its length field.
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
  // Dialer: the suite that it offers. Listener: the suites that it supports, the preferred one first.
  private let suites: [CipherSuite]

  private var awaited: Awaited
  private var pending: [UInt8] = []
  private var outbound: [UInt8] = []
  // Listener only: kept until the preamble has arrived.
  private var ephemeral: SecretKey?
  private var noise: HandshakeState?
  private var suite: CipherSuite
  private var remotePayload = HandshakePayload()

  /// Makes the dialer's end. The caller sends its preamble and message 1 at once.
  /// - Parameters:
  ///   - identity: the identity of the dialer.
  ///   - suite: one of `CipherSuite.available`.
  ///   - swarm: the key of the private swarm; nil: public.
  ///   - pinned: the peer that must answer; nil: any peer. Another peer does not learn the dialer's identity.
  ///   - payload: what the dialer sends to the listener.
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
    // Message 1 uses no public key of the other end, so it cannot meet one of low order.
    do { try send(payload: []) } catch { preconditionFailure("message 1 cannot fail") }
  }

  /// Makes the listener's end.
  /// - Parameters:
  ///   - identity: the identity of the listener.
  ///   - suites: the supported suites, the preferred one first; ChaChaPoly must be one of them.
  ///   - swarm: the key of the private swarm; nil: public.
  ///   - payload: what the listener sends to the dialer.
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

  /// Whether the last message was read or written. Outbound bytes may still have to be sent.
  public var isComplete: Bool {
    if case .nothing = awaited { true } else { false }
  }

  /// Takes the next bytes of the stream, in pieces of any size.
  /// - Returns: how many bytes it took. It takes none after the last byte of the last message: they belong to records.
  public mutating func receive(_ bytes: RawSpan) throws(HandshakeError) -> Int {
    if case .failed(let error) = awaited { throw error }
    var taken = 0
    do throws(HandshakeError) {
      while !isComplete && taken < bytes.byteCount {
        let due = try byteCountDue()
        let end = taken + min(due - pending.count, bytes.byteCount - taken)
        pending.append(bytes, taken..<end)
        taken = end
        // This also throws at the first wrong byte of a preamble, before the rest arrives.
        if try byteCountDue() == pending.count { try take() }
      }
    } catch {
      fail(error)
      throw error
    }
    return taken
  }

  /// Handles the end of the stream.
  /// - Returns: why there will be no channel. Nil if the handshake was complete.
  public mutating func receiveEnd() -> HandshakeError? {
    switch awaited {
    case .nothing: return nil
    case .failed(let error): return error
    case .preamble, .message1, .message2, .message3:
      fail(.closedByPeer)
      return .closedByPeer
    }
  }

  /// Returns the bytes to send now. Each byte is returned once.
  public mutating func takeOutbound() -> [UInt8] {
    defer { outbound = [] }
    return outbound
  }

  /// Returns the channel. `isComplete` must be true.
  public consuming func finish() -> EstablishedChannel {
    precondition(isComplete, "the handshake is not over")
    let remote = remote!
    let noise = noise.take()!
    let handshakeHash = noise.handshakeHash
    return EstablishedChannel(role, suite, handshakeHash, remote, remotePayload, noise.split())
  }

  // MARK: - What is due

  /// Returns the size of the awaited part, as far as it is known. More than has arrived, unless it is complete.
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

  /// Accepts the dialer's preamble, or throws. On a mismatch a public listener answers; a private one stays silent.
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

  /// Returns the error that the listener's answer means. Nil if the bytes are message 2.
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

  /// The peer's ID. Nil until the message with its static key is read.
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
