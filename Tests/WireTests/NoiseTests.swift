// The handshake itself, against what other implementations of Noise compute.
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
    swarm: vector.psk.map { SwarmKey(secretKey($0)) })
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

@Test(.enabled(if: NoiseVectors.isPresent), arguments: NoiseVectors.all)
func `both ends say and understand what other implementations say`(_ vector: NoiseVector) throws {
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

@Test(.enabled(if: NoiseVectors.isPresent))
func `the vectors cover both suites and both patterns`() {
  let names = Set(NoiseVectors.all.map(\.protocolName))
  for pattern in ["XX", "XXpsk0"] {
    for suite in ["AESGCM", "ChaChaPoly"] { #expect(names.contains("Noise_\(pattern)_25519_\(suite)_SHA256")) }
  }
}

/// Computed with OpenSSL.
@Test func `a PeerID is the hash of a label and the public key`() {
  let identity = StaticIdentity(secret: secretKey(1))
  #expect(identity.peerID.hex == "e5e2d4f3a403260f79de32570260c82b1720fcbd1c42291b119d53034bff38a9")
}

/// Computed with another HMAC: fileID 00…1f, swarm key 07…, handshake hash 09….
@Test func `the proofs of a file are those of another implementation`() {
  let fileID = FileID(digest: Digest(0..<32)!)
  let hash = Digest(Array(repeating: 9, count: 32))!
  for (key, bucket, open, have) in [
    (
      FileKey(fileID, swarm: nil), 0x64DC, "d37feab70333d8940cd88dbff2135aa4e5ef8a47bdb7eab78039d0446ebc4c1c",
      "9fd453bbc5ce56e61df172d1aad55561b86ac3b60a403676394e1137eead0daa"
    ),
    (
      FileKey(fileID, swarm: SwarmKey(secretKey(7))), 0x2AED,
      "cbf66cdd66fb1974bef9b8ee673cc5c1865627ecba1aacc04d047e6de97da538",
      "79f2cf106da915d441b06be6d951caa8df7c478a0ad89832014eed41f2a256f2"
    ),
  ] as [(FileKey, UInt16, String, String)] {
    #expect(key.bucket == bucket)
    #expect(key.openProof(hash, sender: .dialer).hex == open)
    #expect(key.haveProof(hash, sender: .listener).hex == have)
    #expect(FileKey.matches(key.openProof(hash, sender: .dialer), due: Digest(hex: open)!))
    #expect(!FileKey.matches(key.openProof(hash, sender: .listener), due: Digest(hex: open)!))
  }
}
