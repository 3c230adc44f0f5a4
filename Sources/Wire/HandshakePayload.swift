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
/// Source: `Protocol/README.md`, "Handshake payload".
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
  }

  /// The TCP port that the peer can be dialled at; nil where it does not listen.
  public var listenPort: UInt16?
  public var capabilities: Capabilities
  /// The program's name and version. It came from outside: escape it before a terminal or a log sees it.
  public var agent: String?
  /// How many unanswered requests the peer accepts on one connection; nil: not said.
  public var requestsInFlightMax: UInt16?

  public init(
    listenPort: UInt16? = nil, capabilities: Capabilities = [], agent: String? = nil,
    requestsInFlightMax: UInt16? = nil
  ) {
    precondition((agent?.utf8.count ?? 0) <= HandshakePayload.agentByteCountMax, "the agent's name is too long")
    self.listenPort = listenPort
    self.capabilities = capabilities
    self.agent = agent
    self.requestsInFlightMax = requestsInFlightMax
  }

  public func encode() -> [UInt8] {
    var out: [UInt8] = []
    func append(_ field: Field, _ value: some Collection<UInt8>) {
      out.append(field.rawValue)
      out.append(UInt8(value.count))
      out += value
    }
    if let listenPort { append(.listenPort, HandshakePayload.bytes(of: listenPort)) }
    if !capabilities.isEmpty { append(.capabilities, HandshakePayload.bytes(of: capabilities.rawValue)) }
    if let agent { append(.agent, agent.utf8) }
    if let requestsInFlightMax { append(.requestsInFlightMax, HandshakePayload.bytes(of: requestsInFlightMax)) }
    return out
  }

  /// Refuses a field that is cut off, that stands twice, or that has not its type's length.
  init(decoding bytes: [UInt8]) throws(HandshakeError) {
    self.init()
    guard bytes.count <= HandshakePayload.byteCountMax else { throw .malformed(.payload) }
    var rest = bytes[...]
    var seen: Set<UInt8> = []
    while let type = rest.popFirst() {
      guard let count = rest.popFirst(), rest.count >= Int(count), seen.insert(type).inserted else {
        throw .malformed(.payload)
      }
      let value = rest.prefix(Int(count))
      rest = rest.dropFirst(Int(count))
      switch Field(rawValue: type) {
      case .listenPort: listenPort = try HandshakePayload.number(value)
      case .capabilities: capabilities = Capabilities(rawValue: try HandshakePayload.number(value))
      case .agent:
        guard value.count <= HandshakePayload.agentByteCountMax, let text = String(validating: value, as: UTF8.self)
        else { throw .malformed(.payload) }
        agent = text
      case .requestsInFlightMax: requestsInFlightMax = try HandshakePayload.number(value)
      case nil: break
      }
    }
  }

  private static func bytes<T: FixedWidthInteger>(of value: T) -> [UInt8] {
    stride(from: T.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  private static func number<T: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) throws(HandshakeError) -> T {
    guard bytes.count == T.bitWidth / 8 else { throw .malformed(.payload) }
    return bytes.reduce(0) { $0 << 8 | T($1) }
  }
}
