// The channel compared with `Protocol/vectors/`, which an independent program wrote.
import Content
import Sodium
import TestSupport
import Testing

@testable import Wire

private func kind(_ file: String) -> (pattern: HandshakePattern, suite: CipherSuite) {
  (file.contains("xxpsk0") ? .xxpsk0 : .xx, file.contains("aesgcm") ? .aesGCM : .chaChaPoly)
}

private let handshakeFiles = ["xx-chachapoly", "xx-aesgcm", "xxpsk0-chachapoly", "xxpsk0-aesgcm"]
  .map { "handshake-\($0).txt" }.filter { CipherSuite.available.contains(kind($0).suite) }

private func identity(_ vectors: VectorFile, _ role: String) -> StaticIdentity {
  StaticIdentity(secret: secretKey(vectors["\(role).static.secret"]))
}

private func swarm(_ vectors: VectorFile) -> SwarmKey? {
  vectors.names.contains("swarm-key") ? swarmKey(secretKey(vectors["swarm-key"])) : nil
}

/// Returns the listener's end, with the payload of the published message 2.
private func listener(_ vectors: VectorFile) throws -> ChannelHandshake {
  ChannelHandshake(
    listening: identity(vectors, "listener"), suites: CipherSuite.available, swarm: swarm(vectors),
    payload: try HandshakePayload(decoding: vectors["message2.payload"]),
    ephemeral: secretKey(vectors["listener.ephemeral.secret"]))
}

private func established(_ vectors: VectorFile) throws -> EstablishedChannel {
  var listener = try listener(vectors)
  _ = listener.take(vectors["preamble"] + vectors["message1"] + vectors["message3"])
  return listener.finish()
}

@Test(arguments: handshakeFiles)
func `a listener sends the published answers to the published dialer`(_ file: String) throws {
  let vectors = try VectorFile(file)
  var listener = try listener(vectors)
  let first = listener.take(vectors["preamble"] + vectors["message1"])
  let answer = listener.takeOutbound()
  #expect(first == ([], nil) && answer == vectors["message2"])
  let third = listener.take(vectors["message3"])
  let isComplete = listener.isComplete
  try #require(third == ([], nil) && isComplete)
  let channel = listener.finish()
  let (hash, remote, payload) = (channel.handshakeHash, channel.remote, channel.remotePayload)
  #expect(hash.bytes == vectors["handshake-hash"])
  #expect(remote.digest.bytes == vectors["dialer.peerID"])
  #expect(
    payload
      == HandshakePayload(listenPort: 40_001, agent: "dialer é", requestsInFlightMax: 32, zone: ZoneName("eu-west_1.A"))
  )
}

@Test(arguments: handshakeFiles)
func `a dialer sends the published first and last messages`(_ file: String) throws {
  let vectors = try VectorFile(file)
  let (pattern, suite) = kind(file)
  var dialer = ChannelHandshake(
    dialing: identity(vectors, "dialer"), suite: suite, swarm: swarm(vectors),
    pinned: PeerID(digest: Digest(vectors["listener.peerID"])!), payload: HandshakePayload(),
    ephemeral: secretKey(vectors["dialer.ephemeral.secret"]))
  let first = dialer.takeOutbound()
  #expect(first == vectors["preamble"] + vectors["message1"])
  let second = dialer.take(vectors["message2"])
  let isComplete = dialer.isComplete
  #expect(second == ([], nil) && isComplete)

  // The published message 3 contains an unknown field, which this program never sends.
  let preamble = Preamble(suite: suite, pattern: pattern)
  #expect(preamble.prologue == vectors["prologue"])
  var noise = HandshakeState(
    .dialer, pattern, suite, prologue: vectors["prologue"].span.bytes, identity: identity(vectors, "dialer"),
    ephemeral: secretKey(vectors["dialer.ephemeral.secret"]), swarm: swarm(vectors))
  let message1 = try noise.writeMessage(payload: [])
  #expect(message1[...] == vectors["message1"].dropFirst(2))
  let message2 = vectors["message2"]
  let payload = try noise.readMessage(message2.span.bytes.extracting(2..<message2.count))
  #expect(payload == vectors["message2.payload"])
  let message3 = try noise.writeMessage(payload: vectors["message3.payload"])
  let hash = noise.handshakeHash.bytes
  #expect(message3[...] == vectors["message3"].dropFirst(2))
  #expect(hash == vectors["handshake-hash"])
}

@Test(arguments: handshakeFiles)
func `sealed records are the published ones, also after a change of key`(_ file: String) throws {
  let vectors = try VectorFile(file)
  let suite = kind(file).suite
  var channel = try established(vectors)
  // Seals records between the published ones. The dialer is not available here, but its key is.
  var between = RecordSealer(CipherState(suite, key: secretKey(vectors["to-listener.key"])))
  for number in 0...16_384 {
    let name = "record\(number)"
    guard vectors.names.contains("to-listener.\(name)") else {
      let opened = channel.opener.plaintext(between.record([1]).dropFirst(2))
      try #require(opened == [1])
      _ = channel.sealer.record([1])
      continue
    }
    let plaintext = vectors["to-listener.\(name).plaintext"]
    let record = between.record(plaintext)
    #expect(record == vectors["to-listener.\(name)"])
    let opened = channel.opener.plaintext(vectors["to-listener.\(name)"].dropFirst(2))
    #expect(opened == plaintext)
    let sealed = channel.sealer.record(vectors["to-dialer.\(name).plaintext"])
    #expect(sealed == vectors["to-dialer.\(name)"])
  }
}

@Test func `proofs of a file are the published ones`() throws {
  let vectors = try VectorFile("filekey.txt")
  let fileID = FileID(digest: Digest(vectors["fileID"])!)
  let hash = Digest(vectors["handshake-hash"])!
  for (name, swarm) in [("public", nil), ("private", swarmKey(secretKey(vectors["private.swarm-key"])))] {
    let key = FileKey(fileID, swarm: swarm)
    #expect(UInt64(key.bucket) == vectors.number("\(name).bucket"))
    for sender in [ChannelRole.dialer, .listener] {
      #expect(key.openProof(hash, sender: sender).bytes == vectors["\(name).open.\(sender.rawValue)"])
      #expect(key.haveProof(hash, sender: sender).bytes == vectors["\(name).have.\(sender.rawValue)"])
    }
    let due = key.openProof(hash, sender: .dialer)
    #expect(FileKey.matches(Digest(vectors["\(name).open.0"])!, due: due))
    #expect(!FileKey.matches(Digest(vectors["\(name).open.1"])!, due: due))
  }
}

@Test func `a listener closes without a byte after every invalid preamble`() throws {
  let vectors = try VectorFile("invalid/preamble.txt")
  #expect(!vectors.names.isEmpty)
  for name in vectors.names {
    for isPrivate in [false, true] {
      var listener = listener(ChannelKind(suite: .chaChaPoly, isPrivate: isPrivate))
      let (_, error) = listener.take(vectors[name])
      let answer = listener.takeOutbound()
      #expect(error != nil && answer.isEmpty, "\(name)")
    }
  }
}

@Test func `a listener closes without a byte after every invalid message 1`() throws {
  let vectors = try VectorFile("invalid/handshake-message1.txt")
  #expect(!vectors.names.isEmpty)
  for name in vectors.names {
    for suite in CipherSuite.available {
      var listener = listener(ChannelKind(suite: suite, isPrivate: false))
      let (_, error) = listener.take(Preamble(suite: suite, pattern: .xx).encode() + vectors[name])
      let answer = listener.takeOutbound()
      #expect(error != nil && answer.isEmpty, "\(name)")
    }
  }
}

@Test func `every invalid payload is refused`() throws {
  let vectors = try VectorFile("invalid/handshake-payload.txt")
  #expect(!vectors.names.isEmpty)
  for name in vectors.names {
    #expect(throws: HandshakeError.malformed(.payload), "\(name)") { try HandshakePayload(decoding: vectors[name]) }
  }
}

@Test func `every invalid record is refused, and the valid one opens`() throws {
  let vectors = try VectorFile("invalid/record.txt")
  let names = vectors.names.filter { $0 != "key" }
  #expect(names.count > 1)
  for name in names {
    var opener = RecordOpener(CipherState(.chaChaPoly, key: secretKey(vectors["key"])))
    let record = vectors[name]
    let length = RecordOpener.length(ofHeader: UInt16(record[0]) << 8 | UInt16(record[1]))
    let opened = length == nil ? nil : opener.plaintext(record.dropFirst(2))
    #expect((opened != nil) == (name == "good"), "\(name)")
  }
}

@Test func `the longest record is the published one`() throws {
  let vectors = try VectorFile("largest.txt")
  var sealer = RecordSealer(CipherState(.chaChaPoly, key: secretKey(vectors["record.key"])))
  let record = sealer.record([UInt8](repeating: 0x55, count: Record.plaintextByteCountMax))
  #expect(UInt64(record.count) == vectors.number("record.length"))
  #expect(Digest(sha256: record.span.bytes).bytes == vectors["record.sha256"])
}

@Test func `a listener answers an unacceptable preamble as published, and the dialer reads the answer`() throws {
  let vectors = try VectorFile("preamble-answers.txt")
  let names = vectors.names.filter { $0.hasSuffix(".offered") }.map { String($0.dropLast(".offered".count)) }
  #expect(names.count == 7)
  for name in names {
    let (own, offered) = (vectors["\(name).listener"], vectors["\(name).offered"])
    var listening = listener(
      ChannelKind(suite: .chaChaPoly, isPrivate: own[0] == 1),
      suites: own.dropFirst().compactMap { CipherSuite(rawValue: $0) })
    let (_, refusal) = listening.take(offered)
    let answer = listening.takeOutbound()
    #expect(refusal != nil && answer == vectors["\(name).answer"], "\(name)")

    let suite = try #require(CipherSuite(rawValue: offered[8]))
    guard CipherSuite.available.contains(suite) else { continue }
    var dialing = dialer(ChannelKind(suite: suite, isPrivate: offered[9] == 1))
    let first = dialing.takeOutbound()
    #expect(Array(first.prefix(16)) == offered, "\(name)")
    let result = answer.isEmpty ? dialing.receiveEnd() : dialing.take(answer).error
    switch (result, vectors.number("\(name).dialer")) {
    case (.suiteUnsupported(redialWith: .chaChaPoly), 1), (.patternMismatch, 2): #expect(!answer.isEmpty, "\(name)")
    // The dialer cannot know why the listener closed.
    case (.closedByPeer, _): #expect(answer.isEmpty, "\(name)")
    default: Issue.record("\(name): \(String(describing: result))")
    }
  }
}

@Test func `published payloads are read with their published fields`() throws {
  let vectors = try VectorFile("handshake-payloads.txt")
  let names = vectors.names.filter { $0.hasSuffix(".payload") }.map { String($0.dropLast(".payload".count)) }
  #expect(names.count > 10)
  for name in names {
    func has(_ field: String) -> Bool { vectors.names.contains("\(name).\(field)") }
    func number(_ field: String) -> UInt64? { has(field) ? vectors.number("\(name).\(field)") : nil }
    func text(_ field: String) -> [UInt8]? { has(field) ? vectors["\(name).\(field)"] : nil }
    let payload = try HandshakePayload(decoding: vectors["\(name).payload"])
    #expect(UInt64(payload.listenPort ?? 0) == number("port") ?? 0, "\(name)")
    #expect(UInt64(payload.capabilities.rawValue) == number("capabilities") ?? 0, "\(name)")
    #expect(payload.requestsInFlightMax.map { UInt64($0) } == number("requests"), "\(name)")
    #expect(payload.agent.map { Array($0.utf8) } == text("agent"), "\(name)")
    #expect(payload.zone.map { Array($0.description.utf8) } == text("zone"), "\(name)")
  }
}

@Test func `every altered handshake message ends the handshake without a byte sent`() throws {
  let invalid = try VectorFile("invalid/handshake.txt")
  #expect(invalid.names.count > 30)
  for name in invalid.names {
    let parts = name.split(separator: ".")
    let vectors = try VectorFile("handshake-\(parts[0])-chachapoly.txt")
    let result: HandshakeError?
    let sent: [UInt8]
    if parts[1] == "message2" {
      var dialing = ChannelHandshake(
        dialing: identity(vectors, "dialer"), suite: .chaChaPoly, swarm: swarm(vectors), pinned: nil,
        payload: HandshakePayload(), ephemeral: secretKey(vectors["dialer.ephemeral.secret"]))
      let first = dialing.takeOutbound()
      #expect(first == vectors["preamble"] + vectors["message1"])
      result = dialing.take(invalid[name]).error
      sent = dialing.takeOutbound()
    } else {
      var listening = try listener(vectors)
      _ = listening.take(vectors["preamble"] + (parts[1] == "message3" ? vectors["message1"] : []))
      _ = listening.takeOutbound()
      result = listening.take(invalid[name]).error
      sent = listening.takeOutbound()
    }
    #expect(result != nil && sent.isEmpty, "\(name)")
  }
}
