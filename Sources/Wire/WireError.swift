// How a peer can break the framing; each way ends the connection with a close code.

/// A frame that the protocol forbids. The connection cannot go on: where the next frame starts is no longer certain.
public enum WireError: Error, Hashable, Sendable {
  /// `length` is 0, or more than the type allows.
  case badLength(UInt32)
  /// An even type that this version does not know; odd ones are skipped.
  case unknownType(UInt8)
  /// The body is longer or shorter than its fields, or a field holds a value that its table does not list.
  case malformed(FrameType)
  /// A text is not UTF-8.
  case invalidText(FrameType)

  /// What GOODBYE says before the connection is closed.
  public var closeCode: CloseCode {
    switch self {
    case .badLength, .unknownType, .malformed, .invalidText: .protocolError
    }
  }
}
