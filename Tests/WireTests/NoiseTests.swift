// The Noise handshake, compared with the results of other implementations.
import Content
import Sodium
import Testing

@testable import Wire

private func handshake(_ role: ChannelRole, _ vector: NoiseVector) throws -> HandshakeState {
  let parts = vector.protocolName.split(separator: "_").map(String.init)
  let pattern = try #require([HandshakePattern.xx, .xxpsk0].first { $0.name == parts[1] })
  let suite = try #require([CipherSuite.chaChaPoly, .aesGCM].first { $0.name == parts[3] })
  let identity = StaticIdentity(secret: secretKey(role == .dialer ? vector.dialerStatic : vector.listenerStatic))
  return HandshakeState(
    role, pattern, suite, prologue: vector.prologue.span.bytes, identity: identity,
    ephemeral: secretKey(role == .dialer ? vector.dialerEphemeral : vector.listenerEphemeral),
    swarm: vector.psk.map { swarmKey(secretKey($0)) })
}

private func seal(_ cipher: inout CipherState, _ plaintext: [UInt8]) -> [UInt8] {
  var out = [UInt8](repeating: 0, count: plaintext.count + cipher.tagByteCount)
  var elements = out.mutableSpan
  var bytes = elements.mutableBytes
  cipher.seal(plaintext.span.bytes, into: &bytes, at: 0)
  return out
}

private func open(_ cipher: inout CipherState, _ ciphertext: [UInt8]) -> [UInt8]? {
  var out = [UInt8](repeating: 0, count: ciphertext.count - cipher.tagByteCount)
  var elements = out.mutableSpan
  var bytes = elements.mutableBytes
  let opens = cipher.open(ciphertext.span.bytes, into: &bytes)
  return opens ? out : nil
}

@Test(arguments: NoiseVectors.all)
func `handshakes and records are those that other implementations compute`(_ vector: NoiseVector) throws {
  var dialer = try handshake(.dialer, vector)
  var listener = try handshake(.listener, vector)
  for (i, message) in vector.messages.prefix(3).enumerated() {
    let sent =
      try i % 2 == 0 ? dialer.writeMessage(payload: message.payload) : listener.writeMessage(payload: message.payload)
    #expect(sent == message.ciphertext, "message \(i)")
    let bytes = message.ciphertext.span.bytes
    let payload = try i % 2 == 0 ? listener.readMessage(bytes) : dialer.readMessage(bytes)
    #expect(payload == message.payload, "payload \(i)")
  }
  let (hash, hashOfListener) = (dialer.handshakeHash, listener.handshakeHash)
  #expect(hash == hashOfListener)
  if let known = vector.handshakeHash { #expect(hash.bytes == known) }

  var dialerCiphers = dialer.split()
  var listenerCiphers = listener.split()
  #expect(vector.messages.count > 3)
  for (i, message) in vector.messages.dropFirst(3).enumerated() {
    let sent: [UInt8]
    let opened: [UInt8]?
    if i.isMultiple(of: 2) == vector.dialerSendsFirstTransport {
      sent = seal(&dialerCiphers.fromDialer, message.payload)
      opened = open(&listenerCiphers.fromDialer, message.ciphertext)
    } else {
      sent = seal(&listenerCiphers.fromListener, message.payload)
      opened = open(&dialerCiphers.fromListener, message.ciphertext)
    }
    #expect(sent == message.ciphertext, "transport \(i)")
    #expect(opened == message.payload, "transport \(i)")
  }
}

@Test
func `the vectors cover both suites and both patterns`() {
  let names = Set(NoiseVectors.all.map(\.protocolName))
  for pattern in ["XX", "XXpsk0"] {
    for suite in ["AESGCM", "ChaChaPoly"] { #expect(names.contains("Noise_\(pattern)_25519_\(suite)_SHA256")) }
  }
}
