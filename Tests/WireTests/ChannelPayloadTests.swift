// The fields that peers send each other inside the handshake.
import Testing

@testable import Wire

private let full = HandshakePayload(
  listenPort: 9800, capabilities: .severalConnections, agent: "p2pnode/0.1 é", requestsInFlightMax: 64,
  zone: ZoneName("rack-12"))

private func decode(_ bytes: [UInt8]) -> HandshakePayload? { try? HandshakePayload(decoding: bytes) }

@Test func `a payload is encoded as the bytes that the protocol fixes`() {
  let payload = HandshakePayload(
    listenPort: 0x2648, capabilities: .severalConnections, agent: "ab", requestsInFlightMax: 0x0140)
  #expect(payload.encode() == [1, 2, 0x26, 0x48, 2, 4, 0, 0, 0, 1, 3, 2, 0x61, 0x62, 4, 2, 1, 0x40])
  #expect(HandshakePayload().encode() == [])
  #expect(HandshakePayload(zone: ZoneName("a.Z")).encode() == [5, 3, 0x61, 0x2E, 0x5A])
}

@Test func `a payload is read as it was written`() {
  for payload in [full, HandshakePayload(), HandshakePayload(agent: ""), HandshakePayload(requestsInFlightMax: 0)] {
    #expect(decode(payload.encode()) == payload)
  }
}

@Test func `a port of 0 means that the peer has no listener`() {
  #expect(decode([1, 2, 0, 0]) == HandshakePayload())
  #expect(HandshakePayload(listenPort: 0).encode() == [])
}

@Test func `a payload that is cut within a field is refused`() {
  let bytes = full.encode()
  var ends: Set<Int> = [0]
  for field in [
    HandshakePayload(listenPort: 9800), HandshakePayload(listenPort: 9800, capabilities: .severalConnections),
    HandshakePayload(listenPort: 9800, capabilities: .severalConnections, agent: full.agent),
    HandshakePayload(
      listenPort: 9800, capabilities: .severalConnections, agent: full.agent, requestsInFlightMax: 64),
  ] { ends.insert(field.encode().count) }
  for count in 0..<bytes.count { #expect((decode(Array(bytes.prefix(count))) != nil) == ends.contains(count)) }
}

@Test func `unknown fields are skipped at every position`() {
  let unknown: [UInt8] = [200, 3, 1, 2, 3]
  #expect(decode(unknown + full.encode()) == full)
  #expect(decode(full.encode() + unknown) == full)
  #expect(decode(unknown + unknown) == HandshakePayload(), "also twice")
  #expect(decode([0, 0]) == HandshakePayload())
  #expect(decode([200, 254] + [UInt8](repeating: 1, count: 254)) == HandshakePayload())
  #expect(decode([2, 4, 0xFF, 0xFF, 0xFF, 0xFF])?.capabilities.contains(.severalConnections) == true)
}

@Test(
  arguments: [
    [1, 1, 0], [1, 3, 0, 0, 0], [2, 3, 0, 0, 0], [4, 0], [1, 255], [3, 1, 0xFF], [1, 2, 0, 1, 1, 2, 0, 1],
    [5, 0], [5, 1, 0x20], [5, 1, 0x2F], [5, 2, 0x61, 0x00], [5, 1, 0x61, 5, 1, 0x61],
    [5, 65] + Array(repeating: 0x61, count: 65), [200, 1], [3, 33] + Array(repeating: 0x61, count: 33),
    [200, 255] + Array(repeating: 1, count: 255),
  ] as [[UInt8]])
func `a field of a wrong length, a repeated field and text that is not UTF-8 are refused`(_ bytes: [UInt8]) {
  #expect(throws: HandshakeError.malformed(.payload)) { try HandshakePayload(decoding: bytes) }
}

@Test func `a zone has 1 to 64 letters, digits, hyphens, dots and underscores`() {
  for name in ["a", "eu-west-1a", "RACK_12.b", String(repeating: "z", count: 64)] {
    #expect(ZoneName(name)?.description == name)
    #expect(decode(HandshakePayload(zone: ZoneName(name)).encode())?.zone?.description == name)
  }
  for name in ["", "a b", "a/b", "a:b", "zürich", "a\n", "a\0", "\"", String(repeating: "z", count: 65)] {
    #expect(ZoneName(name) == nil, "\(name)")
  }
}
