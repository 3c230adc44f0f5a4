// The frame types and the possible lengths of their bodies.

/// The core types, which are even, and the extensions that this implementation knows, which are odd
/// (`Protocol/README.md`, "Messages"). Other odd types are skipped.
public enum FrameType: UInt8, Sendable, CaseIterable {
  case open = 0x02
  case opened = 0x04
  case pageGet = 0x06
  case page = 0x08
  case request = 0x0A
  case data = 0x0C
  case cancel = 0x0E
  case busy = 0x10
  case have = 0x12
  case bitmap = 0x14
  case withdrawn = 0x16
  case peers = 0x18
  case ping = 0x1A
  case pong = 0x1C
  case goodbye = 0x1E
  case promised = 0x21
  case close = 0x23

  /// The possible lengths of the body in bytes. A frame with another length is refused before its body arrives.
  var bodyBytes: ClosedRange<Int> {
    switch self {
    case .open: 38...38
    case .opened: 5...81 + ProtocolLimits.nameBytesMax
    case .pageGet: 8...8
    case .page: 43...11 + 32 * (ProtocolLimits.chunksPerPage + ProtocolLimits.unclesPerPageMax)
    case .request: 15...15
    case .data: 8...ProtocolLimits.dataFrameLengthMax - 1
    case .cancel, .close: 4...4
    case .busy: 8...8
    case .have: 12...6 + 6 * ProtocolLimits.haveRunsMax
    case .bitmap: 13...12 + ProtocolLimits.bitmapChunksMax / 8
    case .withdrawn: 5...5
    case .peers: 5...5 + 51 * ProtocolLimits.peersMax
    case .ping, .pong: 8...8
    case .goodbye: 2...2 + ProtocolLimits.goodbyeTextBytesMax
    case .promised: 10...6 + 4 * ProtocolLimits.promisedChunksMax
    }
  }
}

extension FrameType: CustomStringConvertible {
  /// The name in the specification: `PAGE_GET`.
  public var description: String {
    switch self {
    case .open: "OPEN"
    case .opened: "OPENED"
    case .pageGet: "PAGE_GET"
    case .page: "PAGE"
    case .request: "REQUEST"
    case .data: "DATA"
    case .cancel: "CANCEL"
    case .busy: "BUSY"
    case .have: "HAVE"
    case .bitmap: "BITMAP"
    case .withdrawn: "WITHDRAWN"
    case .peers: "PEERS"
    case .ping: "PING"
    case .pong: "PONG"
    case .goodbye: "GOODBYE"
    case .promised: "PROMISED"
    case .close: "CLOSE"
    }
  }
}
