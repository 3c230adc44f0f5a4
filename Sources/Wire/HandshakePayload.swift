// What the two peers send each other inside the handshake: type-length-value fields. Unknown fields are skipped.

/// What a peer can do beyond the core protocol, one bit for each capability.
public struct Capabilities: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The peer opens several connections on purpose. Without this bit, one of two connections of a PeerID is closed.
  public static let severalConnections = Capabilities(rawValue: 1 << 0)
}

/// The payload of handshake messages 2 and 3.
///
/// Source: `Protocol/README.md`, "Payload".
public struct HandshakePayload: Hashable, Sendable {
  /// The most bytes of an encoded payload.
  public static let byteCountMax = 256
  /// The most bytes of the agent's name in UTF-8.
  public static let agentByteCountMax = 32

  private enum Field: UInt8 {
    case listenPort = 1
    case capabilities = 2
    case agent = 3
    case requestsInFlightMax = 4
    case zone = 5
  }

  /// The TCP port at which the peer can be dialled. Nil if it does not listen; on the wire, port 0 means the same.
  public var listenPort: UInt16?
  public var capabilities: Capabilities
  /// The program's name and version. Untrusted: escape it before it reaches a terminal or a log.
  public var agent: String?
  /// How many unanswered requests the peer accepts on one connection. Nil: `ProtocolLimits.requestsInFlightMax`.
  public var requestsInFlightMax: UInt16?
  /// The zone that the peer claims to be in. Nil: it does not say.
  public var zone: ZoneName?

  public init(
    listenPort: UInt16? = nil, capabilities: Capabilities = [], agent: String? = nil,
    requestsInFlightMax: UInt16? = nil, zone: ZoneName? = nil
  ) {
    precondition((agent?.utf8.count ?? 0) <= HandshakePayload.agentByteCountMax, "the agent's name is too long")
    self.listenPort = listenPort
    self.capabilities = capabilities
    self.agent = agent
    self.requestsInFlightMax = requestsInFlightMax
    self.zone = zone
  }

  public func encode() -> [UInt8] {
    var out: [UInt8] = []
    if let listenPort, listenPort != 0 {
      out += [Field.listenPort.rawValue, 2]
      out.append(bigEndian: listenPort)
    }
    if !capabilities.isEmpty {
      out += [Field.capabilities.rawValue, 4]
      out.append(bigEndian: capabilities.rawValue)
    }
    if let agent {
      out += [Field.agent.rawValue, UInt8(agent.utf8.count)]
      out += agent.utf8
    }
    if let requestsInFlightMax {
      out += [Field.requestsInFlightMax.rawValue, 2]
      out.append(bigEndian: requestsInFlightMax)
    }
    if let zone {
      out += [Field.zone.rawValue, UInt8(zone.description.utf8.count)]
      out += zone.description.utf8
    }
    return out
  }

  /// Decodes a payload. Throws if a field is cut off, or if a known field occurs twice or has a wrong length.
  init(decoding bytes: [UInt8]) throws(HandshakeError) {
    self.init()
    guard bytes.count <= HandshakePayload.byteCountMax else { throw .malformed(.payload) }
    var reader = ByteReader(bytes)
    var seen: Set<Field> = []
    while let type = reader.u8() {
      guard let count = reader.u8(), let value = reader.take(Int(count)) else { throw .malformed(.payload) }
      guard let field = Field(rawValue: type) else { continue }
      guard seen.insert(field).inserted, take(field, ByteReader(value)) else { throw .malformed(.payload) }
    }
  }

  /// Stores the value of a field. Returns false if the value is not valid for the field.
  private mutating func take(_ field: Field, _ value: ByteReader) -> Bool {
    var value = value
    switch field {
    case .listenPort:
      guard let port = value.u16() else { return false }
      listenPort = port == 0 ? nil : port
    case .capabilities:
      guard let bits = value.u32() else { return false }
      capabilities = Capabilities(rawValue: bits)
    case .agent:
      guard value.bytesLeft <= HandshakePayload.agentByteCountMax,
        let bytes = value.take(value.bytesLeft), let text = String(validating: bytes, as: UTF8.self)
      else { return false }
      agent = text
    case .requestsInFlightMax:
      guard let count = value.u16() else { return false }
      requestsInFlightMax = count
    case .zone:
      guard let bytes = value.take(value.bytesLeft), let text = String(validating: bytes, as: UTF8.self),
        let name = ZoneName(text)
      else { return false }
      zone = name
    }
    return value.isAtEnd
  }
}
