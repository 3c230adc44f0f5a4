// What two peers tell one another inside the handshake: type-length-value fields, of which unknown ones are skipped.

/// What a peer can do beyond the core of the protocol, one bit each.
public struct Capabilities: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Several connections of this PeerID are meant; without it, of two one is closed.
  public static let severalConnections = Capabilities(rawValue: 1 << 0)
}

/// The payload of handshake messages 2 and 3.
///
/// Source: `Protocol/README.md`, "Payload".
public struct HandshakePayload: Hashable, Sendable {
  /// Bytes of an encoded payload, at most.
  public static let byteCountMax = 256
  /// Bytes of the agent's name in UTF-8, at most.
  public static let agentByteCountMax = 32

  private enum Field: UInt8 {
    case listenPort = 1
    case capabilities = 2
    case agent = 3
    case requestsInFlightMax = 4
    case zone = 5
  }

  /// The TCP port that the peer can be dialled at; nil where it does not listen, which a port of 0 says too.
  public var listenPort: UInt16?
  public var capabilities: Capabilities
  /// The program's name and version. It came from outside: escape it before a terminal or a log sees it.
  public var agent: String?
  /// How many unanswered requests the peer accepts on one connection; nil: `ProtocolLimits.requestsInFlightMax`.
  public var requestsInFlightMax: UInt16?
  /// The zone in which the peer says that it is; nil: it does not say. It is only a claim.
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

  /// Refuses a field that is cut off, and a known one that stands twice or has not its type's length.
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

  /// False where the value is not one of this field.
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
